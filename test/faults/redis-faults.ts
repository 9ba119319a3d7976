import type { RedisServer } from '../support/redis-server.ts';
import { command } from '../support/redis-topologies.ts';
import type { FaultKind } from './fault.ts';
import type { RedisDoor } from './redis-door.ts';
import type { RedisShard } from './redis-service.ts';
import type { Scene } from './world.ts';

/** A Redis that dies, forgets, is full, is slow, is another one, or whose answers are lost. */
export const redisFaults: readonly FaultKind[] = [
  {
    name: 'Redis is killed and restarted',
    weight: 2,
    draw({ between, random }) {
      const share = random();
      let victim: RedisServer;
      return {
        what: 'Redis is killed',
        on: 'redis',
        lastsMs: between(100, 3_000),
        async begin(scene) {
          victim = await shardAt(scene, share).master();
          await victim.kill();
        },
        async heal(scene) {
          await victim.restart();
          await shardAt(scene, share).untilWell();
        },
      };
    },
  },
  {
    name: 'Redis is flushed',
    draw: () => ({
      what: 'Redis is flushed',
      on: 'redis',
      lastsMs: 0,
      async begin({ redis }) {
        for (const shard of redis.shards) {
          await command((await shard.master()).port, 'FLUSHALL').catch(unlessReplica);
        }
      },
    }),
  },
  {
    name: 'Redis is full',
    draw: ({ between }) => ({
      what: 'Redis is full',
      on: 'redis',
      lastsMs: between(300, 3_000),
      begin: (scene) => setMaxMemory(scene, 1),
      heal: (scene) => setMaxMemory(scene, 0),
    }),
  },
  {
    name: 'Redis falls silent',
    draw({ between, random }) {
      const share = random();
      let silent: RedisServer;
      return {
        what: 'Redis falls silent',
        on: 'redis',
        lastsMs: between(500, 4_000),
        async begin(scene) {
          silent = await shardAt(scene, share).master();
          silent.pause();
        },
        async heal(scene) {
          silent.resume();
          await shardAt(scene, share).untilWell();
        },
      };
    },
  },
  {
    name: 'Redis answers slowly',
    needs: ['door'],
    draw({ between }) {
      const delayMs = between(50, 400);
      return {
        what: `Redis answers ${delayMs} ms later`,
        on: 'redis',
        lastsMs: between(1_000, 4_000),
        begin: (scene) => setDoor(scene, { delayMs }),
        heal: (scene) => setDoor(scene, { delayMs: 0 }),
      };
    },
  },
  {
    name: 'answers of Redis are lost',
    needs: ['door'],
    weight: 2,
    draw({ between }) {
      const replies = between(1, 8);
      return {
        what: `${replies} answers of Redis are lost`,
        on: 'redis',
        lastsMs: 1_500,
        begin: (scene) => setDoor(scene, { repliesToLose: replies }),
        heal: (scene) => setDoor(scene, { repliesToLose: 0 }),
      };
    },
  },
  {
    name: 'Redis dies, and its replica takes over',
    needs: ['replica'],
    weight: 1.5,
    draw({ between, random }) {
      const share = random();
      let dead: RedisServer;
      return {
        what: 'Redis dies, and its replica takes over',
        on: 'redis',
        lastsMs: between(300, 3_000),
        async begin(scene) {
          const shard = shardAt(scene, share);
          dead = await shard.master();
          await dead.kill();
          await shard.takeOver();
        },
        async heal(scene) {
          await dead.restart();
          await shardAt(scene, share).follow(dead);
        },
      };
    },
  },
  {
    name: 'Redis and its replica change places',
    needs: ['replica'],
    draw({ random }) {
      const share = random();
      return {
        what: 'Redis and its replica change places',
        on: 'redis',
        lastsMs: 0,
        begin: (scene) => shardAt(scene, share).changePlaces(),
      };
    },
  },
  {
    name: 'two Redis take themselves for the master',
    needs: ['replica', 'door'],
    weight: 0.5,
    draw({ between }) {
      let left: RedisServer;
      return {
        what: 'two Redis take themselves for the master',
        on: 'redis',
        lastsMs: between(500, 3_000),
        async begin(scene) {
          const shard = shardAt(scene, 0);
          left = await shard.master();
          await shard.takeOver(); // open connections stay with the other
        },
        heal: (scene) => shardAt(scene, 0).follow(left),
      };
    },
  },
];

/** @param share of the keys: in [0, 1) */
function shardAt({ redis: { shards } }: Scene, share: number): RedisShard {
  return shards[Math.floor(share * shards.length)] as RedisShard;
}

function setDoor({ redis }: Scene, manners: Partial<RedisDoor>): void {
  if (redis.door) Object.assign(redis.door, manners);
}

/** Of all, whoever is the master now or will be. */
async function setMaxMemory({ redis }: Scene, bytes: number): Promise<void> {
  for (const server of redis.shards.flatMap((shard) => shard.servers())) {
    await command(server.port, 'CONFIG', 'SET', 'maxmemory', bytes);
  }
}

/** It may have become one in this moment. */
function unlessReplica(error: Error): void {
  if (!error.message.startsWith('READONLY')) throw error;
}
