import type { Metrics } from '@cutline/shared/process';
import type { Redis } from 'ioredis';
import type { FeatureStore } from '../features/feature-store.ts';
import type { Queues } from './open-queues.ts';

const states = ['waiting', 'active', 'delayed', 'failed'] as const;

/**
 * Brings the gauges of queues, features and Redis up to date. Every process tells the same
 * numbers, so dashboards take their maximum, and any one process is enough to see them.
 */
export async function observeQueues(
  metrics: Metrics,
  from: { redis: Redis; queues: Queues; features: Pick<FeatureStore, 'bytesInFlight'> },
): Promise<void> {
  for (const queue of ['encode', 'decode'] as const) {
    const counts = await from.queues[queue].counts();
    for (const state of states) metrics.queueJobs.set({ queue, state }, counts[state]);
    const oldest = await from.queues[queue].oldestWaiting();
    const age = oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1000;
    metrics.queueOldestSeconds.set({ queue }, age);
  }
  metrics.featureBytes.set(await from.features.bytesInFlight());
  const memory = /^used_memory:(\d+)/m.exec(await from.redis.info('memory'))?.[1];
  metrics.redisMemoryBytes.set(Number(memory ?? 0));
}
