import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { command } from '../support/redis-topologies.ts';
import { waitFor } from '../support/wait-for.ts';
import { openRedisDoor, type RedisDoor } from './redis-door.ts';

/** A Redis behind a door, and in some rounds another that follows it and can take its place. */
export interface RedisService {
  readonly door: RedisDoor;
  readonly master: RedisServer;
  readonly hasReplica: boolean;
  ask(...args: [string, ...(string | number)[]]): Promise<unknown>;
  /**
   * The replica becomes the master, and new connections come to it. @returns who was it before.
   * Writes that had not reached the replica are lost, as they are in earnest.
   */
  promote(): Promise<RedisServer>;
  /** Makes a server that is up a replica of the master. */
  follow(server: RedisServer): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisService(
  first: RedisServer,
  { withReplica, args }: { withReplica: boolean; args: readonly string[] },
): Promise<RedisService> {
  const door = await openRedisDoor(first.port);
  const second = withReplica ? await startRedis({ args }) : undefined;
  let [master, replica] = [first, second];
  const service: RedisService = {
    door,
    get master() {
      return master;
    },
    hasReplica: withReplica,
    ask: (...words) => command(master.port, ...words),
    async promote() {
      if (!replica) throw new Error('There is no replica');
      await command(replica.port, 'REPLICAOF', 'NO', 'ONE');
      [master, replica] = [replica, master];
      door.lead(master.port);
      return replica;
    },
    async follow(server) {
      await command(server.port, 'REPLICAOF', '127.0.0.1', master.port);
      const isUp = async () =>
        String(await command(server.port, 'INFO', 'replication')).includes('link_status:up');
      await waitFor(isUp, { deadlineMs: 20_000, what: 'the replica to catch up' });
    },
    async stop() {
      await door.stop();
      await second?.stop();
    },
  };
  if (second) await service.follow(second);
  return service;
}

/** So that a replica need not wait for others that may want a copy, too. */
export const replicationArgs = ['--repl-diskless-sync-delay', '0'];
