import { describeError, UserError } from '@cutline/shared/errors';
import type { Logger } from '@cutline/shared/process';
import { redactUrl, withDeadline } from '@cutline/shared/process';
import { Redis } from 'ioredis';

/**
 * Connects to Redis and makes sure that it is fit for queues.
 *
 * At start an unreachable Redis is a mistake to report; later it is an outage to sit out: the
 * connection then comes back by itself, for as long as it takes.
 *
 * @param options.setting where the URL comes from, for messages.
 * @throws UserError when Redis cannot be reached within `deadlineMs`, refuses the credentials, or
 *   evicts keys under memory pressure (which would silently drop jobs).
 */
export async function connectRedis(
  url: string,
  {
    deadlineMs = 5_000,
    setting = '--redis (or REDIS_URL)',
  }: { deadlineMs?: number; setting?: string } = {},
): Promise<Redis> {
  const redis = createRedis(url, { deadlineMs, setting });
  let lastError: unknown;
  redis.on('error', (error) => {
    lastError = error;
  });
  try {
    await withDeadline(
      (async () => {
        await redis.connect();
        await redis.ping();
      })(),
      deadlineMs,
    );
    await refuseEviction(redis, url);
  } catch (error) {
    redis.disconnect();
    if (error instanceof UserError) throw error;
    throw new UserError(explain(describeError(lastError ?? error), redactUrl(url), setting));
  }
  return redis;
}

function createRedis(
  url: string,
  { deadlineMs, setting }: { deadlineMs: number; setting: string },
): Redis {
  try {
    return new Redis(url, {
      lazyConnect: true,
      connectTimeout: deadlineMs,
      // BullMQ's blocking commands must be able to wait out an outage.
      maxRetriesPerRequest: null,
      retryStrategy: (attempt) => Math.min(attempt * 100, 3_000),
    });
  } catch {
    // Without its cause: that shows the URL as it is, with the password.
    throw new UserError(
      `${redactUrl(url)} is no URL of a Redis: correct ${setting}; expected redis://host:port.`,
    );
  }
}

/** Says once when Redis is gone, and once when it is back; in between, commands wait. */
export function logOutages(redis: Redis, log: Logger): void {
  let goneMs: number | undefined;
  redis.on('reconnecting', () => {
    if (goneMs !== undefined) return;
    goneMs = performance.now();
    log.warn('Redis is gone: waiting for it to come back');
  });
  redis.on('ready', () => {
    if (goneMs === undefined) return;
    log.warn({ durationMs: Math.round(performance.now() - goneMs) }, 'Redis is back');
    goneMs = undefined;
  });
}

function explain(reason: string, url: string, setting: string): string {
  if (/NOAUTH/.test(reason)) {
    return `Redis at ${url} wants a password: write it into ${setting}, as redis://:password@host:port.`;
  }
  if (/WRONGPASS|ERR AUTH|invalid password/.test(reason)) {
    return `Redis at ${url} refuses the user or the password: correct them in ${setting}.`;
  }
  if (/NOPERM/.test(reason)) {
    return `Redis at ${url} does not let this user do what queues need (${reason}): grant it.`;
  }
  if (/RESP type|wrong version number|packet length/.test(reason)) {
    return `What answers at ${url} does not speak as Redis does (${reason}): correct ${setting}.`;
  }
  return (
    `Cannot reach Redis at ${url} (${reason}): start it (redis-server --maxmemory-policy ` +
    `noeviction), or correct ${setting}.`
  );
}

async function refuseEviction(redis: Redis, url: string): Promise<void> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1];
  if (policy === undefined || policy === 'noeviction') return;
  throw new UserError(
    `Redis at ${redactUrl(url)} has maxmemory-policy "${policy}", under which it silently drops ` +
      'jobs when memory runs short: set it to noeviction, with "redis-cli config set ' +
      'maxmemory-policy noeviction" and in redis.conf.',
  );
}
