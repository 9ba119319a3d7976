import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { UserError } from '@cutline/shared';
import type { Redis } from 'ioredis';

/** A producer that died gives its run free after this long. */
const ttlMs = 15_000;

const refreshScript = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
`;
const releaseScript = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0
`;

/**
 * One producer a run: two would enqueue the same images under different attempts.
 * Waits for the lock of a producer that died; a living one is named.
 *
 * @returns a function that releases the lock.
 * @throws UserError when another producer holds the run and keeps renewing its lock.
 */
export async function lockRun(redis: Redis, run: string): Promise<() => Promise<void>> {
  const key = `cutline:run:${run}:producer`;
  const owner = `${hostname()}, process ${process.pid} (${randomUUID()})`;
  const deadline = Date.now() + ttlMs + 1_000;
  while ((await redis.set(key, owner, 'PX', ttlMs, 'NX')) === null) {
    if (Date.now() > deadline) {
      const other = (await redis.get(key))?.replace(/ \([^)]*\)$/, '');
      throw new UserError(
        `Run "${run}" is being produced by ${other} already. Watch it with "cutline status ${run}".`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const timer = setInterval(() => {
    redis.eval(refreshScript, 1, key, owner, ttlMs).catch(() => {});
  }, ttlMs / 3);
  return async () => {
    clearInterval(timer);
    await redis.eval(releaseScript, 1, key, owner);
  };
}
