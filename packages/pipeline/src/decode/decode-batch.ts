import { captionFeatures, type InferencePool } from '@cutline/inference';
import { describeError, type FailureClass, isTransient, UserError } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import { jobId, type PartRow, RunStore } from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { toPartRows } from '../batch-results.ts';
import { countByOutcome, countProgress, partStep } from '../board/run-progress.ts';
import { DamagedFeaturesError, unpackFeatures } from '../features/feature-blob.ts';
import type { FeatureStore } from '../features/feature-store.ts';
import {
  countDivisions,
  type DecodeJob,
  divide,
  divisionsMax,
  type EncodedImage,
  halve,
  imageRefs,
  lostWorkersMax,
} from '../jobs.ts';
import { addJob, type JobHandler, type Queues } from '../queue/queues.ts';
import { writeSidecars } from './write-sidecars.ts';

export interface DecodeBatchContext {
  pool: InferencePool;
  features: FeatureStore;
  queues: Queues;
  redis: Redis;
  stores: StorePool;
  metrics: Metrics;
  remainderDelayMs: number;
}

/**
 * The decode stage's job: features → captions → the batch's part; then, in this order, the
 * remainder of deferred images is enqueued and the features are removed. Each of these steps may
 * be repeated: keys, job ids and contents are derived from the job alone.
 */
export function decodeBatch(context: DecodeBatchContext): JobHandler<DecodeJob> {
  return async (job, { lostWorkers, log }) => {
    if (lostWorkers >= lostWorkersMax) {
      log.error({ lostWorkers }, 'workers died holding this batch');
      const message = `${lostWorkers} workers died holding this image`;
      return isolate(context, job, 'worker-lost', message);
    }

    let rows: PartRow[];
    try {
      rows = await captionBatch(context, job);
    } catch (error) {
      if (error instanceof UserError || isTransient(error)) throw error;
      if (error instanceof DamagedFeaturesError) {
        log.warn({ error: error.message }, 'features lost');
        return encodeAgain(context, job, error.message);
      }
      log.error({ err: error }, 'decoding failed in a way that nobody foresaw');
      return isolate(context, job, 'internal', describeError(error));
    }
    await finish(context, job, rows);
  };
}

/** @throws DamagedFeaturesError when the features are missing, damaged or not this batch's. */
async function captionBatch(context: DecodeBatchContext, job: DecodeJob): Promise<PartRow[]> {
  const count = job.images.filter((image) => image.status === 'encoded').length;
  if (count === 0) return toPartRows(job.images, [], job.model);
  const { pool, features, metrics } = context;
  const blob = await metrics.time('load', () => features.get(jobId(job)));
  if (!blob) throw new DamagedFeaturesError('The features are not in Redis (expired or flushed)');
  const { model, shape, payload } = unpackFeatures(blob);
  if (shape[0] !== count) {
    throw new DamagedFeaturesError(`The features are of ${shape[0]} images, not ${count}`);
  }
  if (model !== pool.model.id) {
    throw new UserError(
      `The features of ${jobId(job)} were made by model ${model}, but this worker has loaded ` +
        `${pool.model.id}. Start encoders and decoders with the same bundle (--model).`,
    );
  }
  const captions = await captionFeatures(payload, count, { pool, options: job.options, metrics });
  return toPartRows(job.images, captions, job.model);
}

async function finish(context: DecodeBatchContext, job: DecodeJob, rows: PartRow[]): Promise<void> {
  const { store: storeUrl, prefix } = job.output;
  const run = new RunStore(await context.stores.open(storeUrl), prefix, job.run);
  if (rows.length > 0) {
    await context.metrics.time('write', async () => {
      await writeSidecars(run.store, prefix, rows, job.sidecars);
      await run.writePart(job, rows);
    });
  }
  if (job.deferred.length > 0) {
    const delayMs = context.remainderDelayMs * 2 ** countDivisions(job.attempt, 'r');
    await addJob(context.queues.encode, divide(job, 'r', job.deferred), { delayMs });
  }
  await context.features.remove(jobId(job));
  await countRows(context, job, rows);
}

/** Counts the rows, once however often the part is written. */
async function countRows(
  { metrics, redis }: DecodeBatchContext,
  job: DecodeJob,
  rows: PartRow[],
): Promise<void> {
  const step = partStep(job);
  if (!(await countProgress(redis, job.run, step, countByOutcome(rows)))) return;
  for (const row of rows) {
    metrics.images.inc({ stage: 'decode', state: row.status });
    if (row.status === 'failed') metrics.failures.inc({ class: row.failure.class });
  }
}

/** Sends the whole batch back to the encoders under a new attempt. */
async function encodeAgain(
  context: DecodeBatchContext,
  job: DecodeJob,
  message: string,
): Promise<void> {
  const run = new RunStore(await context.stores.open(job.output.store), job.output.prefix, job.run);
  // This attempt may have been finished before: then its features are gone because they should be.
  if (await run.store.head(run.partKey(job.batch, job.attempt))) return;
  if (countDivisions(job.attempt) >= divisionsMax) return giveUp(context, job, 'internal', message);
  context.metrics.featuresLost.inc();
  await addJob(context.queues.encode, divide(job, 'e', imageRefs(job)));
  await context.features.remove(jobId(job));
}

/** Sends the batch back in halves, or gives up on the one image that is left. */
async function isolate(
  context: DecodeBatchContext,
  job: DecodeJob,
  failureClass: FailureClass,
  message: string,
): Promise<void> {
  if (imageRefs(job).length <= 1 || countDivisions(job.attempt) >= divisionsMax) {
    return giveUp(context, job, failureClass, message);
  }
  context.metrics.batchSplits.inc({ stage: 'decode' });
  for (const half of halve(job)) await addJob(context.queues.encode, half);
  await context.features.remove(jobId(job));
}

/** Writes the part with failure rows in place of captions. */
async function giveUp(
  context: DecodeBatchContext,
  job: DecodeJob,
  failureClass: FailureClass,
  message: string,
): Promise<void> {
  const images = job.images.map((image): EncodedImage => {
    if (image.status !== 'encoded') return image;
    const { key, etag } = image;
    return { status: 'failed', key, etag, failure: { class: failureClass, message } };
  });
  await finish(context, job, toPartRows(images, [], job.model));
}
