import { UserError } from '@cutline/shared/errors';
import { redactUrl } from '@cutline/shared/process';
import { loadIoredis } from './load-ioredis.ts';
import type { RedisConnection } from './redis-options.ts';

/** What Redis says of itself in INFO: whether it is fit for queues, and how full it is. */

/**
 * Makes sure that Redis is fit for queues; of a cluster, each master.
 * @throws UserError when it evicts keys under memory pressure, which would silently drop jobs; when
 *   it is a replica, which takes no writes; and when it is of a cluster and was not named as one.
 */
export async function refuseUnfit(redis: RedisConnection, url: string): Promise<void> {
  for (const master of masters(redis)) {
    const info = parseInfo(await master.info());
    const where = `Redis at ${redactUrl(url)}`;
    const policy = info.get('maxmemory_policy') ?? 'noeviction';
    if (policy !== 'noeviction') {
      const which = master === redis ? '' : ` on one of its nodes (${nodeName(master)})`;
      throw new UserError(
        `${where} has maxmemory-policy "${policy}"${which}, under which it silently drops ` +
          'jobs when memory runs short: set it to noeviction, with "redis-cli config set ' +
          'maxmemory-policy noeviction" and in redis.conf.',
      );
    }
    if (master !== redis) continue;
    if (info.get('cluster_enabled') === '1') {
      throw new UserError(`${where} is a node of a cluster: write redis+cluster://, not redis://.`);
    }
    if (info.get('role') === 'slave' && info.get('slave_read_only') === '1') {
      throw new UserError(
        `${where} is a replica, which takes no writes: name its master ` +
          `(${info.get('master_host')}:${info.get('master_port')}), or the address that follows it.`,
      );
    }
  }
}

export interface RedisMemory {
  usedBytes: number;
  /** maxmemory; Infinity where there is none. */
  limitBytes: number;
}

/** How full Redis is; a cluster is as full as its fullest master. */
export async function redisMemory(redis: RedisConnection): Promise<RedisMemory> {
  const memories = await Promise.all(
    masters(redis).map(async (master) => {
      const info = parseInfo(await master.info('memory'));
      const limit = Number(info.get('maxmemory') ?? 0);
      return {
        usedBytes: Number(info.get('used_memory') ?? 0),
        limitBytes: limit > 0 ? limit : Number.POSITIVE_INFINITY,
      };
    }),
  );
  const [fullest = { usedBytes: 0, limitBytes: Number.POSITIVE_INFINITY }] = memories.toSorted(
    (a, b) => b.usedBytes / b.limitBytes - a.usedBytes / a.limitBytes || b.usedBytes - a.usedBytes,
  );
  return fullest;
}

function masters(redis: RedisConnection) {
  const { Cluster } = loadIoredis();
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}

function nodeName({ options }: { options: { host?: string | undefined; port?: number } }): string {
  return `${options.host}:${options.port}`;
}

function parseInfo(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^([^#:\s]+):(.*?)\r?$/gm)].map(([, name, value]) => [
      name as string,
      value as string,
    ]),
  );
}
