import type { DecodeStage, Features } from '@cutline/inference';
import { describeError, type FailureClass, isForUser, isTransient } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import {
  type EncodedImage,
  findAttempt,
  formatPart,
  type PartRow,
  RunStore,
  sidecarRulesDefault,
} from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import { toPartRows } from '../batch-results.ts';
import type { RunBoard } from '../board/run-board.ts';
import { countByOutcome, partStep } from '../board/run-progress.ts';
import { DamagedFeaturesError } from '../features/feature-blob.ts';
import type { FeatureStore } from '../features/feature-store.ts';
import {
  countDivisions,
  type DecodeJob,
  divide,
  divisionsMax,
  halve,
  halveKept,
  imageRefs,
  inFlight,
  withoutRow,
} from '../jobs.ts';
import type { Queues } from '../queue/open-queues.ts';
import { writeSidecars } from '../sidecars/write-sidecars.ts';
import { type Breaker, requireProof } from '../worker/breaker.ts';
import type { JobContext, JobHandler } from '../worker/job-context.ts';
import { lostWorkersMax } from '../worker/try-suspects-alone.ts';
import { copyRows } from './copy-rows.ts';
import { loadFeatures } from './load-features.ts';
import { enqueueRemainder } from './remainder.ts';

export interface DecodeBatchContext {
  stage: Pick<DecodeStage, 'model' | 'decode' | 'prove'>;
  openStore: (url: string) => Promise<ObjectStore>;
  /** The home of features that a job names. */
  openFeatures: (home: string) => Promise<FeatureStore>;
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
    await decodeEncoded(context, job, undefined, jobContext);
  };
}

/** @param given the features, where they are at hand */
export async function decodeEncoded(
  context: DecodeBatchContext,
  job: DecodeJob,
  given: Features | undefined,
  jobContext: JobContext,
): Promise<void> {
  const { log } = jobContext;
  let rows: PartRow[];
  try {
    rows = await captionBatch(context, job, given);
    rows.push(...(await copyRows(() => openRun(context, job), job, rows)));
    formatPart(rows); // what its readers would refuse is found here, before it is written
    context.breaker.succeeded();
  } catch (error) {
    if (isForUser(error) || isTransient(error)) throw error;
    if (error instanceof DamagedFeaturesError) {
      log.warn({ error: error.message }, 'features lost');
      return encodeAgain(context, job, jobContext, error);
    }
    log.error({ err: error }, 'decoding failed in a way that nobody foresaw');
    context.breaker.failed(error);
    return isolate(context, job, jobContext, 'internal', describeError(error));
  }
  await finish(context, job, jobContext, rows);
}

/** @throws DamagedFeaturesError when the features are missing, damaged or not this batch's. */
async function captionBatch(
  context: DecodeBatchContext,
  job: DecodeJob,
  given: Features | undefined,
): Promise<PartRow[]> {
  const { metrics, stage } = context;
  const { images, model, options } = job;
  if (!images.some((image) => image.status === 'encoded')) return toPartRows(images, [], model);
  const load = () => loadFeatures(job, { ...context, model: stage.model });
  const features = given ?? (await metrics.time('load', load));
  return toPartRows(images, await stage.decode(features, options), model);
}

async function finish(
  context: DecodeBatchContext,
  job: DecodeJob,
  jobContext: JobContext,
  found: PartRow[],
): Promise<void> {
  const { metrics, queues } = context;
  await jobContext.requireWanted();
  let deferred = [...job.deferred, ...(job.same ?? [])];
  if (found.length > 0) {
    const run = await openRun(context, job);
    const rows = await metrics.time('write', async () => {
      const { batch, attempt, output, sidecars: kinds, sidecarRules: rules } = job;
      const request = { run, batch, attempt, prefix: output.prefix, kinds };
      const noted = await writeSidecars({ ...request, rules: rules ?? sidecarRulesDefault }, found);
      return (await run.createPart(batch, attempt, noted)) ?? noted;
    });
    await countRows(context, job, rows);
    // Of two tries at an attempt, the first part stays: what it has no row of is left.
    deferred = withoutRow(job, rows);
  }
  if (deferred.length > 0) {
    await jobContext.requireWanted();
    await enqueueRemainder(queues, job, deferred, context.remainderDelayMs);
  }
  await removeFeatures(context, job);
}

async function openRun(context: DecodeBatchContext, { output, run }: DecodeJob): Promise<RunStore> {
  return new RunStore(await context.openStore(output.store), output.prefix, run);
}

async function removeFeatures(context: DecodeBatchContext, job: DecodeJob): Promise<void> {
  const stored = inFlight(job);
  if (stored) await (await context.openFeatures(stored.home)).remove(stored.name);
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
    if (row.status === 'captioned') metrics.countCaption(row.caption);
    if (row.status === 'failed') metrics.failures.inc({ class: row.failure.class });
  }
}

/** Sends the whole batch back to the encoders under a new attempt, where there are images. */
async function encodeAgain(
  context: DecodeBatchContext,
  job: DecodeJob,
  jobContext: JobContext,
  { message, failureClass }: DamagedFeaturesError,
): Promise<void> {
  const run = await openRun(context, job);
  // This attempt may have been written before: then its features are gone because they should be,
  // and all that may be missing is the remainder.
  const written = await findAttempt(run, job.batch, job.attempt);
  if (written) {
    const deferred = withoutRow({ ...job, images: [] }, written);
    return finish(context, { ...job, images: [], same: [], deferred }, jobContext, []);
  }
  if (job.source === null) return isolate(context, job, jobContext, failureClass, message);
  if (countDivisions(job.attempt) >= divisionsMax) {
    return giveUp(context, job, jobContext, 'internal', message);
  }
  await jobContext.requireWanted();
  context.metrics.featuresLost.inc();
  await context.queues.encode.add(divide(job, 'e', imageRefs(job)));
  await removeFeatures(context, job);
}

/**
 * Sends the batch back in halves, or gives up on the one image that is left. Halves are encoded
 * again, where there are images; of a run that decodes what another kept, they have the features.
 */
async function isolate(
  context: DecodeBatchContext,
  job: DecodeJob,
  jobContext: JobContext,
  failureClass: FailureClass,
  message: string,
): Promise<void> {
  const { encode, decode } = context.queues;
  const isKept = job.source === null;
  const left = isKept ? job.images : imageRefs(job);
  if (left.length <= 1 || countDivisions(job.attempt) >= divisionsMax) {
    if (failureClass === 'internal') await requireProof(() => context.stage.prove());
    return giveUp(context, job, jobContext, failureClass, message);
  }
  await jobContext.requireWanted();
  context.metrics.batchSplits.inc({ stage: 'decode' });
  if (isKept) for (const half of halveKept(job)) await decode.add(half);
  else for (const half of halve(job)) await encode.add(half);
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
    const { status, width, height, warnings, ...rest } = image;
    return { status: 'failed', ...rest, failure: { class: failureClass, message } };
  });
  await finish(context, job, jobContext, toPartRows(images, [], job.model));
}
