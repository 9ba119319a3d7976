import type { DecodeStage } from '@cutline/inference';
import {
  describeError,
  type FailureClass,
  isForUser,
  isTransient,
  UserError,
} from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import {
  formatPart,
  jobId,
  type PartRow,
  RunStore,
  sidecarRulesDefault,
} from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import { toPartRows } from '../batch-results.ts';
import type { RunBoard } from '../board/run-board.ts';
import { countByOutcome, partStep } from '../board/run-progress.ts';
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
import type { Queues } from '../queue/open-queues.ts';
import { writeSidecars } from '../sidecars/write-sidecars.ts';
import { type Breaker, requireProof } from '../worker/breaker.ts';
import type { JobContext, JobHandler } from '../worker/job-context.ts';

export interface DecodeBatchContext {
  stage: Pick<DecodeStage, 'model' | 'decode' | 'prove'>;
  openStore: (url: string) => Promise<ObjectStore>;
  features: FeatureStore;
  queues: Queues;
  board: RunBoard;
  breaker: Breaker;
  metrics: Metrics;
  remainderDelayMs: number;
}

/**
 * The decode stage's job: features → captions → the part of the attempt; then, in this order, the
 * remainder of deferred images is enqueued and the features are removed. Each of these steps may
 * be repeated: keys, job ids and contents are derived from the job alone, and of two parts of one
 * attempt the first stays.
 */
export function decodeBatch(context: DecodeBatchContext): JobHandler<DecodeJob> {
  return async (job, jobContext) => {
    const { deaths, log } = jobContext;
    if (deaths >= lostWorkersMax) {
      log.error({ deaths }, 'workers died holding this batch');
      const message = `${deaths} workers died holding this image`;
      return isolate(context, job, jobContext, 'worker-lost', message);
    }
    let rows: PartRow[];
    try {
      rows = await captionBatch(context, job);
      formatPart(rows); // what its readers would refuse is found here, before it is written
      context.breaker.succeeded();
    } catch (error) {
      if (isForUser(error) || isTransient(error)) throw error;
      if (error instanceof DamagedFeaturesError) {
        log.warn({ error: error.message }, 'features lost');
        return encodeAgain(context, job, jobContext, error.message);
      }
      log.error({ err: error }, 'decoding failed in a way that nobody foresaw');
      context.breaker.failed(error);
      return isolate(context, job, jobContext, 'internal', describeError(error));
    }
    await finish(context, job, jobContext, rows);
  };
}

/** @throws DamagedFeaturesError when the features are missing, damaged or not this batch's. */
async function captionBatch(context: DecodeBatchContext, job: DecodeJob): Promise<PartRow[]> {
  const { features, metrics, stage } = context;
  const { features: name, images } = job;
  const count = images.filter((image) => image.status === 'encoded').length;
  if (count === 0) return toPartRows(images, [], job.model);
  const blob = name === null ? undefined : await metrics.time('load', () => features.get(name));
  if (!blob) throw new DamagedFeaturesError('The features are not there (expired or flushed)');
  const { model, features: encoded } = unpackFeatures(blob);
  const [encodedCount] = encoded.shape;
  if (encodedCount !== count) {
    throw new DamagedFeaturesError(`The features are of ${encodedCount} images, not ${count}`);
  }
  if (model !== stage.model) {
    throw new UserError(
      `The features of ${jobId(job)} were made by model ${model}, but this worker has loaded ` +
        `${stage.model}. Start encoders and decoders with the same bundle (--model).`,
    );
  }
  return toPartRows(images, await stage.decode(encoded, job.options), job.model);
}

async function finish(
  context: DecodeBatchContext,
  job: DecodeJob,
  jobContext: JobContext,
  found: PartRow[],
): Promise<void> {
  const { metrics, queues } = context;
  await jobContext.requireWanted();
  if (found.length > 0) {
    const run = await openRun(context, job);
    const rows = await metrics.time('write', async () => {
      const { batch, attempt, output, sidecars: kinds, sidecarRules: rules } = job;
      const request = { run, batch, attempt, prefix: output.prefix, kinds };
      const noted = await writeSidecars({ ...request, rules: rules ?? sidecarRulesDefault }, found);
      return run.createPart(batch, attempt, noted);
    });
    await countRows(context, job, rows);
  }
  if (job.deferred.length > 0) {
    await jobContext.requireWanted();
    const delayMs = context.remainderDelayMs * 2 ** countDivisions(job.attempt, 'r');
    await queues.encode.add(divide(job, 'r', job.deferred), { delayMs });
  }
  await removeFeatures(context, job);
}

async function openRun(context: DecodeBatchContext, { output, run }: DecodeJob): Promise<RunStore> {
  return new RunStore(await context.openStore(output.store), output.prefix, run);
}

async function removeFeatures({ features }: DecodeBatchContext, job: DecodeJob): Promise<void> {
  if (job.features !== null) await features.remove(job.features);
}

/** Counts the rows, once however often the part is written. */
async function countRows(
  { metrics, board }: DecodeBatchContext,
  job: DecodeJob,
  rows: readonly PartRow[],
): Promise<void> {
  if (!(await board.count(job.run, partStep(job), countByOutcome(rows)))) return;
  for (const row of rows) {
    metrics.images.inc({ stage: 'decode', state: row.status });
    if (row.status === 'failed') metrics.failures.inc({ class: row.failure.class });
  }
}

/** Sends the whole batch back to the encoders under a new attempt. */
async function encodeAgain(
  context: DecodeBatchContext,
  job: DecodeJob,
  jobContext: JobContext,
  message: string,
): Promise<void> {
  const run = await openRun(context, job);
  // This attempt may have been written before: then its features are gone because they should be,
  // and all that may be missing is the remainder.
  if (await run.store.head(run.partKey(job.batch, job.attempt))) {
    return finish(context, { ...job, images: [] }, jobContext, []);
  }
  if (countDivisions(job.attempt) >= divisionsMax) {
    return giveUp(context, job, jobContext, 'internal', message);
  }
  await jobContext.requireWanted();
  context.metrics.featuresLost.inc();
  await context.queues.encode.add(divide(job, 'e', imageRefs(job)));
  await removeFeatures(context, job);
}

/** Sends the batch back in halves, or gives up on the one image that is left. */
async function isolate(
  context: DecodeBatchContext,
  job: DecodeJob,
  jobContext: JobContext,
  failureClass: FailureClass,
  message: string,
): Promise<void> {
  if (imageRefs(job).length <= 1 || countDivisions(job.attempt) >= divisionsMax) {
    if (failureClass === 'internal') await requireProof(() => context.stage.prove());
    return giveUp(context, job, jobContext, failureClass, message);
  }
  await jobContext.requireWanted();
  context.metrics.batchSplits.inc({ stage: 'decode' });
  for (const half of halve(job)) await context.queues.encode.add(half);
  await removeFeatures(context, job);
}

/** Writes the part with failure rows in place of captions. */
async function giveUp(
  context: DecodeBatchContext,
  job: DecodeJob,
  jobContext: JobContext,
  failureClass: FailureClass,
  message: string,
): Promise<void> {
  const images = job.images.map((image): EncodedImage => {
    if (image.status !== 'encoded') return image;
    const { status, width, height, ...rest } = image;
    return { status: 'failed', ...rest, failure: { class: failureClass, message } };
  });
  await finish(context, job, jobContext, toPartRows(images, [], job.model));
}
