import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** ioredis, for those that connect to Redis, and by `require`: for the same reasons as BullMQ. */
export function loadIoredis(): typeof import('ioredis') {
  return require('ioredis');
}
