import {
  type EncodeLimits,
  type EncodeOutcome,
  encodeImages,
  type InferencePool,
} from '@cutline/inference';
import { describeError, type FailureClass, isTransient, UserError } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import { jobId } from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { applyOutcomes } from '../batch-results.ts';
import { countProgress } from '../board/run-progress.ts';
import { packFeatures } from '../features/feature-blob.ts';
import type { FeatureStore } from '../features/feature-store.ts';
import {
  countDivisions,
  type DecodeJob,
  divisionsMax,
  type EncodedImage,
  type EncodeJob,
  halve,
  lostWorkersMax,
  remaindersMax,
} from '../jobs.ts';
import { addJob, type JobHandler, type Queues } from '../queue/queues.ts';
import type { HoldBack } from './hold-back.ts';

export interface EncodeBatchContext {
  pool: InferencePool;
  features: FeatureStore;
  queues: Queues;
  redis: Redis;
  stores: StorePool;
  limits: EncodeLimits;
  metrics: Metrics;
  holdBack: HoldBack;
}

/**
 * The encode stage's job: images → features in Redis, and one decode job that carries all that
 * became of them. Nothing else leaves this stage, so repeating it is harmless.
 *
 * - Images that fail for good become failure rows; the others go on.
 * - Images whose store is unavailable are deferred; the decoder enqueues their remainder.
 * - A batch that workers died on, or that fails in a way nobody foresaw, is halved, until the
 *   image that does it stands alone and becomes a failure row.
 */
export function encodeBatch(context: EncodeBatchContext): JobHandler<EncodeJob> {
  return async (job, { lostWorkers, log }) => {
    if (lostWorkers >= lostWorkersMax) {
      log.error({ lostWorkers }, 'workers died holding this batch');
      return isolate(context, job, 'worker-lost', `${lostWorkers} workers died holding this image`);
    }

    const wanted = job.images.filter((image) => !image.skipped);
    let encoded: Awaited<ReturnType<typeof encodeImages>>;
    try {
      encoded = await encodeImages(wanted, {
        store: await context.stores.open(job.source),
        pool: context.pool,
        limits: context.limits,
        metrics: context.metrics,
      });
    } catch (error) {
      if (error instanceof UserError || isTransient(error)) throw error;
      log.error({ err: error }, 'encoding failed in a way that nobody foresaw');
      return isolate(context, job, 'internal', describeError(error));
    }

    const decodeJob = toDecodeJob(job, encoded.outcomes);
    const { locations, channels } = context.pool.model.features;
    const count = decodeJob.images.filter((image) => image.status === 'encoded').length;
    if (count > 0) {
      const blob = packFeatures({
        model: context.pool.model.id,
        shape: [count, locations, channels],
        payload: encoded.features,
      });
      const store = () => context.features.put(jobId(job), blob);
      context.holdBack.observe(await context.metrics.time('store', store));
    }
    await handOver(context, decodeJob);
  };
}

function toDecodeJob(job: EncodeJob, outcomes: readonly EncodeOutcome[]): DecodeJob {
  const { images: refs, ...batch } = job;
  const defer = countDivisions(job.attempt, 'r') < remaindersMax;
  return { ...batch, ...applyOutcomes(refs, outcomes, { defer }) };
}

/** Halves a batch, or gives up on the one image that is left. */
async function isolate(
  context: EncodeBatchContext,
  job: EncodeJob,
  failureClass: FailureClass,
  message: string,
): Promise<void> {
  if (job.images.length > 1 && countDivisions(job.attempt) < divisionsMax) {
    context.metrics.batchSplits.inc({ stage: 'encode' });
    for (const half of halve(job)) await addJob(context.queues.encode, half);
    return withdrawUnwantedFeatures(context, job);
  }
  const failure = { class: failureClass, message };
  const outcomes = job.images
    .filter((image) => !image.skipped)
    .map((): EncodeOutcome => ({ status: 'failed', failure }));
  await handOver(context, toDecodeJob(job, outcomes));
}

async function handOver(context: EncodeBatchContext, job: DecodeJob): Promise<void> {
  await addJob(context.queues.decode, job);
  await withdrawUnwantedFeatures(context, job);
  const count = (status: EncodedImage['status']) =>
    job.images.filter((image) => image.status === status).length;
  const { images } = context.metrics;
  images.inc({ stage: 'encode', state: 'encoded' }, count('encoded'));
  images.inc({ stage: 'encode', state: 'failed' }, count('failed'));
  images.inc({ stage: 'encode', state: 'deferred' }, job.deferred.length);
  const step = `encode:${job.batch}.${job.attempt}`;
  await countProgress(context.redis, job.run, step, { encoded: count('encoded') });
}

/**
 * Takes back the features of a batch that no decode job will come for, and which would stay until
 * they expire: of one that was encoded once more after its decode job had ended, and of one that is
 * halved since its worker died between storing them and handing over.
 */
async function withdrawUnwantedFeatures(
  { queues, features }: EncodeBatchContext,
  job: EncodeJob | DecodeJob,
): Promise<void> {
  const state = await queues.decode.getJobState(jobId(job));
  if (['completed', 'failed', 'unknown'].includes(state)) await features.remove(jobId(job));
}
