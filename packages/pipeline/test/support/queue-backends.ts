import { setTimeout as sleep } from 'node:timers/promises';
import {
  connectRedis,
  type EncodeJob,
  type JobQueue,
  MemoryQueueServer,
  openBullQueue,
  realWorld,
} from '@cutline/pipeline';
import { startRedis } from '../../../../test/support/redis-server.ts';
import { ManualWorld } from './manual-world.ts';

/** What stands behind a queue, and the time that it lives in. */
export interface QueueBackend {
  /** Another handle, as another process would have it. */
  open(model: string, options: { lockMs: number }): JobQueue<EncodeJob>;
  now(): number;
  /** Lets time pass. */
  advance(ms: number): Promise<void>;
  /** Lets as much time pass as it takes. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** As a Redis that lost its memory would. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export const startBullBackend = () => startBull({ cluster: false });
export const startClusterBackend = () => startBull({ cluster: true });

async function startBull(options: { cluster: boolean }): Promise<QueueBackend> {
  const server = await startRedis(options);
  const redis = await connectRedis(server.url);
  return {
    open: (model, options) =>
      openBullQueue({ stage: 'encode', model, redis, world: realWorld, ...options }),
    now: Date.now,
    // Timers may be a little early.
    advance: (ms) => sleep(ms + 2),
    settle: (promise) => promise,
    async flush() {
      await redis.flushall();
    },
    async stop() {
      redis.disconnect();
      await server.stop();
    },
  };
}

export async function startMemoryBackend(): Promise<QueueBackend> {
  const world = new ManualWorld();
  const server = new MemoryQueueServer();
  return {
    open: (model, options) => server.open({ stage: 'encode', model, world, ...options }),
    now: () => world.now(),
    advance: (ms) => world.advance(ms),
    settle: (promise) => world.settle(promise),
    flush: async () => server.flush(),
    stop: async () => {},
  };
}
