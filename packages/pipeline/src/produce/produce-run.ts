import type { Closers } from '@cutline/shared/process';
import type { RunStore, Summary } from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { RedisBoard } from '../board/redis-board.ts';
import { makeFolder } from '../make-folder.ts';
import { closeQueues, openQueues, type Queues } from '../queue/open-queues.ts';
import { connectRedis, logOutages } from '../redis/redis.ts';
import { realWorld } from '../world.ts';
import { type DriveRunContext, driveRun } from './drive-run.ts';

export interface ProduceRunOptions
  extends Pick<DriveRunContext, 'what' | 'output' | 'window' | 'metrics' | 'log'> {
  redisUrl: string;
  stores: StorePool;
  /** Gets what is opened, to close it. */
  closers: Closers;
  /** Called once the run is ours, and before anything is listed or enqueued. */
  onStarted?: (started: StartedRun) => Promise<void> | void;
}

export interface StartedRun {
  runStore: RunStore;
  redis: Redis;
  queues: Queues;
}

/** A producer takes no jobs, whose locks would have a length. */
const lockMs = 30_000;

/** `driveRun` over Redis, and over the stores that locations name. */
export async function produceRun(options: ProduceRunOptions): Promise<Summary> {
  const { what, output, window, metrics, log, stores, closers, onStarted } = options;
  const world = realWorld;
  await makeFolder(output.store);
  const kept = 'begin' in what ? what.begin.keepFeatures?.location : undefined;
  if (kept) await makeFolder(kept.store);
  const redis = await connectRedis(options.redisUrl);
  closers.add('Redis', () => redis.disconnect());
  logOutages(redis, log);
  return driveRun({
    ...{ what, output, window, metrics, log, world },
    openStore: (url) => stores.open(url),
    board: new RedisBoard(redis),
    openQueues(model) {
      const queues = openQueues({ model, redis, lockMs, world });
      closers.add('queues', () => closeQueues(queues));
      return queues;
    },
    async onClaimed({ lock }, runStore, queues) {
      closers.add('lock', () => lock.release());
      await onStarted?.({ runStore, redis, queues });
    },
  });
}
