import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { caughtUp, command, startSentinel } from '../support/redis-topologies.ts';
import { waitFor } from '../support/wait-for.ts';
import type { RedisService, RedisShard } from './redis-service.ts';

/** A master and a replica, and a sentinel that decides which is which: programs ask it. */
export async function startSentinelService(
  first: RedisServer,
  args: readonly string[],
): Promise<RedisService> {
  const second = await startRedis({ args });
  const both = [first, second];
  await command(second.port, 'REPLICAOF', '127.0.0.1', first.port);
  await caughtUp(second.port);
  const sentinel = await startSentinel(first.port);
  await sentinel.untilItKnows(second);
  const master = async () => {
    const [, port] = (await sentinel.ask('GET-MASTER-ADDR-BY-NAME')) as [string, string];
    return both.find((each) => each.port === Number(port)) as RedisServer;
  };
  /** Until the sentinel has a master that takes itself for one. */
  const untilMaster = async (isIt: (now: RedisServer) => boolean = () => true) => {
    await waitFor(
      async () => {
        const now = await master();
        return (
          isIt(now) && String(await command(now.port, 'ROLE').catch(String)).startsWith('master')
        );
      },
      { deadlineMs: 30_000, what: 'the sentinel to have a master' },
    );
  };
  const shard: RedisShard = {
    servers: () => both,
    master,
    takeOver: () => untilMaster(),
    untilWell: () => untilMaster(),
    async changePlaces() {
      const before = await master();
      await sentinel.failOver();
      await untilMaster((now) => now !== before);
      await shard.follow(before);
    },
    async follow(server) {
      await command(server.port, 'REPLICAOF', '127.0.0.1', (await master()).port);
      await caughtUp(server.port);
    },
  };
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`;
  return {
    url,
    adminUrl: url,
    door: undefined,
    shards: [shard],
    async stop() {
      await sentinel.stop();
      await second.stop();
    },
  };
}
