import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { caughtUp, command } from '../support/redis-topologies.ts';
import { openRedisDoor } from './redis-door.ts';
import type { RedisService, RedisShard } from './redis-service.ts';

/**
 * A Redis behind a door, and perhaps another that follows it and can take its place, once somebody
 * says so. Writes that had not reached the replica are lost, as they are in earnest.
 */
export async function startPairService(
  first: RedisServer,
  { withReplica, args }: { withReplica: boolean; args: readonly string[] },
): Promise<RedisService> {
  const door = await openRedisDoor(first.port);
  const second = withReplica ? await startRedis({ args }) : undefined;
  let [master, replica] = [first, second];
  const shard: RedisShard = {
    servers: () => (replica ? [master, replica] : [master]),
    master: async () => master,
    async takeOver() {
      if (!replica) throw new Error('There is no replica');
      await command(replica.port, 'REPLICAOF', 'NO', 'ONE');
      [master, replica] = [replica, master];
      door.lead(master.port);
    },
    async untilWell() {},
    async changePlaces() {
      const before = master;
      await shard.takeOver();
      await shard.follow(before);
    },
    async follow(server) {
      await command(server.port, 'REPLICAOF', '127.0.0.1', master.port);
      await caughtUp(server.port);
    },
  };
  if (second) await shard.follow(second);
  return {
    url: door.url,
    adminUrl: door.url,
    door,
    shards: [shard],
    async stop() {
      await door.stop();
      await second?.stop();
    },
  };
}
