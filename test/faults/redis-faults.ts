import type { RedisServer } from '../support/redis-server.ts';
import type { FaultKind } from './fault.ts';

/** A Redis that dies, forgets, is full, is slow, is another one, or whose answers are lost. */
export const redisFaults: readonly FaultKind[] = [
  {
    name: 'Redis is killed and restarted',
    weight: 2,
    draw({ between }) {
      let victim: RedisServer;
      return {
        what: 'Redis is killed',
        on: 'redis',
        lastsMs: between(100, 3_000),
        async begin({ redis }) {
          victim = redis.master;
          await victim.kill();
        },
        heal: () => victim.restart(),
      };
    },
  },
  {
    name: 'Redis is flushed',
    draw: () => ({
      what: 'Redis is flushed',
      on: 'redis',
      lastsMs: 0,
      begin: async ({ redis }) => void (await redis.ask('FLUSHALL')),
    }),
  },
  {
    name: 'Redis is full',
    draw: ({ between }) => ({
      what: 'Redis is full',
      on: 'redis',
      lastsMs: between(300, 3_000),
      begin: async ({ redis }) => void (await redis.ask('CONFIG', 'SET', 'maxmemory', 1)),
      heal: async ({ redis }) => void (await redis.ask('CONFIG', 'SET', 'maxmemory', 0)),
    }),
  },
  {
    name: 'Redis falls silent',
    draw({ between }) {
      let silent: RedisServer;
      return {
        what: 'Redis falls silent',
        on: 'redis',
        lastsMs: between(500, 4_000),
        begin({ redis }) {
          silent = redis.master;
          silent.pause();
        },
        heal: () => silent.resume(),
      };
    },
  },
  {
    name: 'Redis answers slowly',
    draw({ between }) {
      const delayMs = between(50, 400);
      return {
        what: `Redis answers ${delayMs} ms later`,
        on: 'redis',
        lastsMs: between(1_000, 4_000),
        begin({ redis }) {
          redis.door.delayMs = delayMs;
        },
        heal({ redis }) {
          redis.door.delayMs = 0;
        },
      };
    },
  },
  {
    name: 'answers of Redis are lost',
    weight: 2,
    draw({ between }) {
      const replies = between(1, 8);
      return {
        what: `${replies} answers of Redis are lost`,
        on: 'redis',
        lastsMs: 1_500,
        begin({ redis }) {
          redis.door.repliesToLose = replies;
        },
        heal({ redis }) {
          redis.door.repliesToLose = 0;
        },
      };
    },
  },
  {
    name: 'Redis dies, and its replica takes over',
    needs: 'replica',
    draw({ between }) {
      let dead: RedisServer;
      return {
        what: 'Redis dies, and its replica takes over',
        on: 'redis',
        lastsMs: between(300, 3_000),
        async begin({ redis }) {
          await redis.master.kill();
          dead = await redis.promote();
        },
        async heal({ redis }) {
          await dead.restart();
          await redis.follow(dead);
        },
      };
    },
  },
  {
    name: 'Redis and its replica change places',
    needs: 'replica',
    draw: () => ({
      what: 'Redis and its replica change places',
      on: 'redis',
      lastsMs: 0,
      begin: async ({ redis }) => redis.follow(await redis.promote()),
    }),
  },
  {
    name: 'two Redis take themselves for the master',
    needs: 'replica',
    weight: 0.5,
    draw({ between }) {
      let left: RedisServer;
      return {
        what: 'two Redis take themselves for the master',
        on: 'redis',
        lastsMs: between(500, 3_000),
        async begin({ redis }) {
          left = await redis.promote(); // open connections stay with it
        },
        heal: ({ redis }) => redis.follow(left),
      };
    },
  },
];
