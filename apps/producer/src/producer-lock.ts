import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { producerKey, UserError } from '@cutline/shared';
import type { Redis } from 'ioredis';

/** A producer that died gives its run free after this long. */
const ttlMs = 15_000;

/** A lock that is gone (Redis was flushed) is taken again. Returns whose it is where not ours. */
const refreshScript = `
  local owner = redis.call('GET', KEYS[1])
  if owner and owner ~= ARGV[1] then return owner end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return false
`;
const releaseScript = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0
`;

/** One producer a run: two would enqueue the same images under different attempts. */
export interface RunLock {
  /** Rejects with a UserError when another producer has the run. Never resolves. */
  lost: Promise<never>;
  release: () => Promise<void>;
}

/**
 * Waits for the lock of a producer that died; a living one is named.
 *
 * @throws UserError when another producer holds the run and keeps renewing its lock.
 */
export async function lockRun(redis: Redis, run: string): Promise<RunLock> {
  const key = producerKey(run);
  const owner = `${hostname()}, process ${process.pid} (${randomUUID()})`;
  const deadline = Date.now() + ttlMs + 1_000;
  while ((await redis.set(key, owner, 'PX', ttlMs, 'NX')) === null) {
    if (Date.now() > deadline) throw takenBy(await redis.get(key), run);
    await sleep(250);
  }
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_, reject) => {
    timer = setInterval(async () => {
      // During an outage of Redis nobody else can take the run either.
      const other = await redis.eval(refreshScript, 1, key, owner, ttlMs).catch(() => null);
      if (other !== null) reject(takenBy(String(other), run));
    }, ttlMs / 3);
  });
  lost.catch(() => {}); // whoever has nothing to do at that moment learns of it later
  return {
    lost,
    async release() {
      clearInterval(timer);
      await redis.eval(releaseScript, 1, key, owner);
    },
  };
}

function takenBy(owner: string | null, run: string): UserError {
  const other = owner?.replace(/ \([^)]*\)$/, '') ?? 'another process';
  return new UserError(
    `Run "${run}" is being produced by ${other} already. Watch it with "cutline status ${run}".`,
  );
}
