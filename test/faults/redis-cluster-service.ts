import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RedisServer } from '../support/redis-server.ts';
import { caughtUp, command, startCluster } from '../support/redis-topologies.ts';
import { waitFor } from '../support/wait-for.ts';
import type { RedisService, RedisShard } from './redis-service.ts';

/**
 * A Redis Cluster: replicas take the places of their masters by themselves. Programs come to it as
 * the user of infra/redis/users.acl.
 */
export async function startClusterService(args: readonly string[]): Promise<RedisService> {
  const { aclFile, name } = await writeUser();
  const nodes = await startCluster({ withReplicas: true, args: [...args, '--aclfile', aclFile] });
  const pairs = nodes.map(({ master, replica }) => [master, replica as RedisServer] as const);
  const [[entry], [another]] = pairs as [(typeof pairs)[number], (typeof pairs)[number]];
  const hosts = `127.0.0.1:${entry.port},127.0.0.1:${another.port}`;
  return {
    url: `redis+cluster://${name}@${hosts}`,
    adminUrl: `redis+cluster://${hosts}`,
    door: undefined,
    shards: pairs.map(shardOf),
    async stop() {
      await Promise.all(pairs.flat().map((server) => server.stop()));
      await rm(dirname(aclFile), { recursive: true });
    },
  };
}

/** @returns a file of that user alone, and how a URL names it */
async function writeUser(): Promise<{ aclFile: string; name: string }> {
  const users = await readFile(new URL('../../infra/redis/users.acl', import.meta.url), 'utf8');
  const [line, user, password] = /^user (cutline) on >(\S+) .*$/m.exec(users) ?? [];
  if (!line) throw new Error('infra/redis/users.acl has no user "cutline"');
  const aclFile = join(await mkdtemp(join(tmpdir(), 'cutline-acl-')), 'users.acl');
  await writeFile(aclFile, `${line}\n`);
  return { aclFile, name: `${user}:${password}` };
}

function shardOf(both: readonly [RedisServer, RedisServer]): RedisShard {
  const find = async (role: 'master' | 'slave') => {
    for (const server of both) {
      const answer = await command(server.port, 'ROLE').catch(String);
      if (String(answer).startsWith(role)) return server;
    }
    return undefined;
  };
  const until = async (what: string, condition: () => Promise<boolean>) => {
    await waitFor(condition, { deadlineMs: 30_000, what });
  };
  const shard: RedisShard = {
    servers: () => both,
    async master() {
      let found: RedisServer | undefined;
      await until('a shard to have a master', async () => {
        found = await find('master');
        return found !== undefined;
      });
      return found as RedisServer;
    },
    takeOver: () =>
      until('the replica to take over', async () => (await find('master')) !== undefined),
    untilWell: () =>
      until('the cluster to be whole', async () => {
        const infos = both.map(({ port }) => command(port, 'CLUSTER', 'INFO').catch(String));
        return (await Promise.all(infos)).every((info) => String(info).includes('state:ok'));
      }),
    async changePlaces() {
      const before = await shard.master();
      const replica = (await find('slave')) as RedisServer;
      await command(replica.port, 'CLUSTER', 'FAILOVER');
      await until('the replica to take over', async () => (await find('master')) === replica);
      await shard.follow(before);
    },
    follow: (server) => caughtUp(server.port),
  };
  return shard;
}
