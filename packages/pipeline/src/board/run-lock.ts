import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '@cutline/shared/errors';
import type { Redis } from 'ioredis';
import { producerKey } from './run-progress.ts';

/**
 * One producer a run: two would enqueue the same images under different attempts. Whoever cancels
 * a run takes the lock from its producer, which then stops.
 */
export interface RunLock {
  /** Rejects with a UserError when another process has the run. Never resolves. */
  lost: Promise<never>;
  release: () => Promise<void>;
}

/** A process that died gives its run free after this long. */
const ttlMs = 15_000;

/** How soon a process learns that another took its run. */
const lookMs = 1_000;

/** Stands before the name of an owner that cancels. */
const cancels = 'cancelled by ';

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

/**
 * Waits for the lock of a producer that died; a living one is named.
 *
 * @throws UserError when another process holds the run and keeps renewing its lock.
 */
export async function lockRun(redis: Redis, run: string): Promise<RunLock> {
  const key = producerKey(run);
  const owner = describeProcess();
  const deadline = Date.now() + ttlMs + 1_000;
  while ((await redis.set(key, owner, 'PX', ttlMs, 'NX')) === null) {
    if (Date.now() > deadline) throw takenBy(await redis.get(key), run);
    await sleep(250);
  }
  return holdLock(redis, run, owner);
}

/**
 * Takes a run from whatever producer has it.
 *
 * @returns besides the lock, what resolves when that producer has had time to stop
 */
export async function seizeRun(
  redis: Redis,
  run: string,
): Promise<RunLock & { producerStopped: Promise<void> }> {
  const owner = cancels + describeProcess();
  const before = await redis.set(producerKey(run), owner, 'PX', ttlMs, 'GET');
  const producerStopped = before === null ? Promise.resolve() : sleep(3 * lookMs);
  return { ...holdLock(redis, run, owner), producerStopped };
}

function holdLock(redis: Redis, run: string, owner: string): RunLock {
  const key = producerKey(run);
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_, reject) => {
    timer = setInterval(async () => {
      // During an outage of Redis nobody else can take the run either.
      const other = await redis.eval(refreshScript, 1, key, owner, ttlMs).catch(() => null);
      if (other !== null) reject(takenBy(String(other), run));
    }, lookMs);
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

function describeProcess(): string {
  return `${hostname()}, process ${process.pid} (${randomUUID()})`;
}

function takenBy(owner: string | null, run: string): UserError {
  const other = owner?.replace(/ \([^)]*\)$/, '') ?? 'another process';
  if (other.startsWith(cancels)) return new UserError(`Run "${run}" was ${other}.`);
  return new UserError(
    `Run "${run}" is being produced by ${other} already. Watch it with "cutline status ${run}".`,
  );
}
