import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, realWorld, type World } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { startRedis } from '../../../../test/support/redis-server.ts';
import { waitFor } from '../../../../test/support/wait-for.ts';
import { ManualWorld } from './manual-world.ts';

/** Where implementations of one interface stand, and how time passes for them. */
export interface Setting {
  readonly world: World;
  /** Lets time pass, as the world tells it. */
  pass(ms: number): Promise<void>;
  /** Lets time pass until a condition holds: what it returns is then neither undefined nor false. */
  until<T>(what: string, condition: () => Promise<T>): Promise<Exclude<T, undefined | false>>;
}

export interface RedisSetting extends Setting {
  readonly redis: Redis;
  /** Another connection, as of another process. */
  connect(): Promise<Redis>;
  stop(): Promise<void>;
}

/** Time as it is. */
export async function startRedisSetting(): Promise<RedisSetting> {
  const server = await startRedis();
  const redis = await connectRedis(server.url);
  const connections = [redis];
  return {
    world: realWorld,
    redis,
    async connect() {
      const another = await connectRedis(server.url);
      connections.push(another);
      return another;
    },
    pass: (ms) => sleep(ms),
    until: (what, condition) => waitFor(condition, { what, deadlineMs: 30_000 }),
    async stop() {
      for (const each of connections) each.disconnect();
      await server.stop();
    },
  };
}

/** Time by hand: days take no longer than milliseconds. */
export function memorySetting(): Setting {
  const world = new ManualWorld();
  return {
    world,
    pass: (ms) => world.pass(ms),
    async until<T>(what: string, condition: () => Promise<T>) {
      for (let rounds = 0; rounds < 100_000; rounds++) {
        const value = await condition();
        if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
        await world.pass(20);
      }
      throw new Error(`Waited in vain for ${what}`);
    },
  };
}
