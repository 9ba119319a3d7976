import { describeError, UserError } from '@cutline/shared/errors';
import type { Logger } from '@cutline/shared/process';
import { parseRedisUrl, type RedisAddress, withDeadline } from '@cutline/shared/process';
import type { Redis } from 'ioredis';
import { explainRefusal } from './explain-refusal.ts';
import { refuseUnfit } from './redis-info.ts';
import { createClient, type RedisConnection } from './redis-options.ts';

/**
 * Connects to Redis and makes sure that it is fit for queues.
 *
 * At start an unreachable Redis is a mistake to report; later it is an outage to sit out: the
 * connection then comes back by itself, for as long as it takes.
 *
 * @param url a server's, a cluster's or that of its sentinels; see `parseRedisUrl`.
 * @param options.setting where the URL comes from, for messages.
 * @returns of a cluster, ioredis's `Cluster`. Its commands are those of `Redis`, which is the type
 *   for as long as there are callers that know no other: `RedisConnection` says what it is.
 * @throws UserError when Redis cannot be reached within `deadlineMs`, refuses the credentials, or
 *   is not fit for queues (see `refuseUnfit`).
 */
export async function connectRedis(
  url: string,
  {
    deadlineMs = 5_000,
    setting = '--redis (or REDIS_URL)',
  }: { deadlineMs?: number; setting?: string } = {},
): Promise<Redis> {
  const address = parseUrl(url, setting);
  const redis = createClient(address, deadlineMs);
  const told: unknown[] = [];
  // Of nodes and sentinels, each says what is wrong with it; all of them together, that it is all.
  const note = (error: unknown) => {
    if (told.length < 20) told.push(error);
  };
  redis.on('error', note).on('node error', note).on('sentinelError', note);
  try {
    await withDeadline(
      (async () => {
        await redis.connect();
        await redis.ping();
        await refuseUnfit(redis, url);
      })(),
      deadlineMs,
    );
  } catch (error) {
    redis.disconnect();
    if (error instanceof UserError) throw error;
    if (address.kind !== 'server') told.push(...(await askNode(address, deadlineMs)));
    throw explainRefusal([...told, error], { url, address, setting });
  }
  return redis as Redis;
}

/** What a node or a sentinel says, of which ioredis tells only that there is none to be had. */
async function askNode(address: RedisAddress, deadlineMs: number): Promise<unknown[]> {
  const { username: _, password: __, ...open } = address;
  const wanted = address.kind === 'cluster' || address.sentinelAuth ? address : open;
  const node = createClient({ ...wanted, kind: 'server', db: 0 }, deadlineMs);
  const told: unknown[] = [];
  node.on('error', (error) => told.push(error));
  await withDeadline(node.connect(), deadlineMs).catch(() => {});
  node.disconnect();
  return told;
}

function parseUrl(url: string, setting: string): RedisAddress {
  try {
    return parseRedisUrl(url);
  } catch (error) {
    throw new UserError(`${setting} is no URL of Redis: ${describeError(error)}.`);
  }
}

/** A connection that holds for so long is back. */
const steadyMs = 1_000;

/**
 * Says once when Redis is gone, and once when it is back; in between, commands wait. Connections
 * that break again at once, as those to a server that is a replica now, are one outage.
 */
export function logOutages(redis: RedisConnection, log: Logger): void {
  let goneMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  redis.on('reconnecting', () => {
    clearTimeout(timer);
    if (goneMs !== undefined) return;
    goneMs = performance.now();
    log.warn('Redis is gone: waiting for it to come back');
  });
  redis.on('ready', () => {
    if (goneMs === undefined) return;
    const durationMs = Math.round(performance.now() - goneMs);
    clearTimeout(timer);
    timer = setTimeout(() => {
      goneMs = undefined;
      log.warn({ durationMs }, 'Redis is back');
    }, steadyMs);
    timer.unref();
  });
  redis.on('end', () => clearTimeout(timer));
}
