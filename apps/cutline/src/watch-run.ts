import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Closers,
  closeQueues,
  connectRedis,
  FeatureStore,
  openQueues,
  type RunStore,
} from '@cutline/shared';
import { showProgress } from './progress-display.ts';
import { type RunStatus, readStatus, type StatusSources } from './run-status.ts';

const intervalMs = 500;

/** Reads a run's status, connecting to Redis when it is needed, and only once. */
export function statusReader(runStore: RunStore, redisUrl: string, closers: Closers) {
  let sources: Promise<StatusSources> | undefined;
  const connect = async (): Promise<StatusSources> => {
    const redis = await connectRedis(redisUrl);
    closers.add('Redis', () => redis.disconnect());
    const queues = openQueues(redis);
    closers.add('queues', () => closeQueues(queues));
    return { runStore, redis, queues, features: new FeatureStore(redis, { ttlMs: 1 }) };
  };
  return (): Promise<RunStatus> =>
    readStatus(runStore, () => {
      sources ??= connect();
      return sources;
    });
}

/** Shows a run's progress until `until` settles or the run is finished. */
export async function watchRun(
  read: () => Promise<RunStatus>,
  options: { until?: Promise<unknown>; notes?: (note: (text: string) => void) => void } = {},
): Promise<RunStatus> {
  const display = showProgress(process.stderr);
  options.notes?.(display.note);
  let over = false;
  const end = (options.until ?? new Promise(() => {})).then(() => {
    over = true;
  });
  try {
    for (;;) {
      const status = await read();
      display.update(status);
      if (status.summary || over) return status;
      await Promise.race([sleep(intervalMs), end]);
    }
  } finally {
    display.stop();
  }
}
