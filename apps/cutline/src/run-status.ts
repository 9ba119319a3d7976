import {
  countByOutcome,
  type FeatureStore,
  producerKey,
  progressOf,
  type Queues,
  type RunProgress,
  readProgress,
} from '@cutline/pipeline';
import type { RunStore, Summary } from '@cutline/shared/run';
import type { Redis } from 'ioredis';

/** Everything there is to know of a run at one moment. */
export interface RunStatus {
  run: string;
  results: string;
  progress: RunProgress;
  /** Present when the run is finished. */
  summary?: Summary;
  /** The following are absent where Redis was not asked: the run is finished. */
  queues?: Record<'encode' | 'decode', QueueStatus>;
  featureBytes?: number;
  /** Whether a producer sees the run to its end; without one, it has to be resumed. */
  hasProducer?: boolean;
}

export interface QueueStatus {
  waiting: number;
  active: number;
  delayed: number;
  workers: number;
}

export interface StatusSources {
  runStore: RunStore;
  redis: Redis;
  queues: Queues;
  features: FeatureStore;
}

/**
 * Asks the results first: a finished run has a summary, and needs no Redis. For a run under way,
 * Redis knows the numbers; where it was flushed, they are counted from the parts.
 *
 * @param connect is called only for a run under way.
 */
export async function readStatus(
  runStore: RunStore,
  connect: () => Promise<StatusSources>,
): Promise<RunStatus> {
  const base = { run: runStore.run, results: runStore.url };
  const summary = await runStore.readSummary();
  if (summary) return { ...base, progress: progressOf(summary), summary };
  const { redis, queues, features } = await connect();
  const progress = (await readProgress(redis, runStore.run)) ?? (await countParts(runStore));
  return {
    ...base,
    progress,
    queues: { encode: await queueStatus(queues.encode), decode: await queueStatus(queues.decode) },
    featureBytes: await features.bytesInFlight(),
    hasProducer: (await redis.exists(producerKey(runStore.run))) > 0,
  };
}

async function queueStatus(queue: Queues[keyof Queues]): Promise<QueueStatus> {
  const counts = await queue.getJobCounts('waiting', 'active', 'delayed');
  const { waiting = 0, active = 0, delayed = 0 } = counts;
  return { waiting, active, delayed, workers: await queue.getWorkersCount() };
}

async function countParts(runStore: RunStore): Promise<RunProgress> {
  const { images } = await runStore.readRun();
  const counts: Record<string, number> = {};
  for (const part of [...(await runStore.listParts()).values()].flat()) {
    const rows = countByOutcome(await runStore.readPart(part));
    for (const [field, n] of Object.entries(rows)) counts[field] = (counts[field] ?? 0) + n;
  }
  const count = (field: string) => counts[field] ?? 0;
  const failures = Object.entries(counts).filter(([field]) => field.startsWith('failed:'));
  return {
    listed: images ?? count('captioned') + count('skipped') + count('failed'),
    listingComplete: images === null ? 0 : 1,
    enqueued: 0,
    encoded: count('captioned'),
    captioned: count('captioned'),
    skipped: count('skipped'),
    failed: count('failed'),
    failedByClass: Object.fromEntries(
      failures.map(([field, n]) => [field.slice('failed:'.length), n]),
    ),
  };
}
