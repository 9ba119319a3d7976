import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * BullMQ, for those that have a queue: it takes a sixth of a second, which commands that ask the
 * stores alone, and programs that refuse their settings, save. By `require`, since it is CommonJS:
 * `import` would go through each of its 217 files beforehand to learn which names it exports, and
 * take twice as long.
 */
export function loadBullMQ(): typeof import('bullmq') {
  return require('bullmq');
}
