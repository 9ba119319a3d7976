import type { Metrics, QueueName } from '@cutline/shared/process';
import type { EnlistedRun } from '../board/run-board.ts';
import type { RunProgress } from '../board/run-progress.ts';
import type { JobCounts } from '../queue/job-queue.ts';
import type { RedisMemory } from '../redis/redis-info.ts';
import { bottleneck, type RunRate, remainingImages, stagesOfRun } from './run-figures.ts';

/** Writes what the exporter found into the gauges, which are empty before. */

export interface SharedFigures {
  runs: RunFound[];
  /** By model. */
  queues: Map<string, Record<QueueName, QueueFound>>;
  memory: RedisMemory;
  featureBytes: number;
  isWritable: boolean;
}

export interface RunFound extends EnlistedRun {
  progress: RunProgress;
  rate: RunRate;
  /** Since the last batch; where there was none yet, since the run was first seen. */
  idleMs: number;
  hasProducer: boolean;
}

export interface QueueFound extends JobCounts {
  /** Age of the job that has waited longest; 0 where none waits. */
  oldestMs: number;
  workers: number;
}

const queueNames = ['encode', 'decode'] as const;

export function applyFigures(metrics: Metrics, figures: SharedFigures): void {
  const { runs, queues, memory, featureBytes, isWritable } = figures;
  metrics.redisUp.set(1);
  metrics.redisWritable.set(isWritable ? 1 : 0);
  metrics.redisMemoryBytes.set(memory.usedBytes);
  if (Number.isFinite(memory.limitBytes)) metrics.redisMemoryLimitBytes.set(memory.limitBytes);
  metrics.featureBytes.set(featureBytes);
  for (const [model, found] of queues) {
    for (const queue of queueNames) applyQueue(metrics, { model, queue }, found[queue]);
  }
  for (const run of runs) {
    const of = queues.get(run.model);
    if (of) applyRun(metrics, run, of);
  }
}

function applyQueue(
  metrics: Metrics,
  labels: { model: string; queue: QueueName },
  { oldestMs, workers, ...counts }: QueueFound,
): void {
  for (const state of ['waiting', 'active', 'delayed', 'failed'] as const) {
    metrics.queueJobs.set({ ...labels, state }, counts[state]);
  }
  metrics.queueOldestSeconds.set(labels, oldestMs / 1000);
  metrics.queueWorkers.set(labels, workers);
}

function applyRun(
  metrics: Metrics,
  { run, model, progress, rate, idleMs, hasProducer }: RunFound,
  queues: Record<QueueName, JobCounts>,
): void {
  for (const state of ['listed', 'encoded', 'captioned', 'skipped', 'failed'] as const) {
    metrics.runs.images.set({ run, state }, progress[state]);
  }
  for (const [failureClass, images] of Object.entries(progress.failedByClass)) {
    metrics.runs.failedImages.set({ run, class: failureClass }, images);
  }
  metrics.runs.info.set({ run, model }, 1);
  metrics.runs.remaining.set({ run }, remainingImages(progress));
  if (progress.listedBytes !== undefined)
    metrics.runs.listedBytes.set({ run }, progress.listedBytes);
  if (progress.deadlineMs !== undefined)
    metrics.runs.deadline.set({ run }, progress.deadlineMs / 1000);
  metrics.runs.listingComplete.set({ run }, progress.listingComplete);
  metrics.runs.producers.set({ run }, hasProducer ? 1 : 0);
  metrics.runs.idleSeconds.set({ run }, idleMs / 1000);
  for (const stage of queueNames) {
    const seconds = rate.drainSeconds(stage, progress);
    if (seconds !== undefined) metrics.runs.drainSeconds.set({ run, stage }, seconds);
  }
  const slowest = bottleneck(progress, queues);
  for (const stage of stagesOfRun) {
    metrics.runs.bottleneck.set({ run, stage }, stage === slowest ? 1 : 0);
  }
}
