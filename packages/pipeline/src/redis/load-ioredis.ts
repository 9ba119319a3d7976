import { createRequire } from 'node:module';
import { endOnce } from './end-once.ts';

const require = createRequire(import.meta.url);

let loaded: typeof import('ioredis') | undefined;

/** ioredis, for those that connect to Redis, and by `require`: for the same reasons as BullMQ. */
export function loadIoredis(): typeof import('ioredis') {
  if (!loaded) {
    loaded = require('ioredis') as typeof import('ioredis');
    endOnce(loaded.AbstractConnector);
  }
  return loaded;
}
