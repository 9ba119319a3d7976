import type { EncodedImages, EncodeOutcome, EncodeStage, Features } from '@cutline/inference';
import { describeError, type FailureClass, isForUser, isTransient } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import { type ImageRef, KeptFeatures } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import { applyOutcomes } from '../batch-results.ts';
import { patientWithFeatures } from '../features/feature-objects.ts';
import { keepFeatures } from '../features/keep-features.ts';
import {
  countDivisions,
  type DecodeJob,
  divisionsMax,
  type EncodeJob,
  halve,
  remaindersMax,
  waitsForOther,
} from '../jobs.ts';
import type { Queues } from '../queue/open-queues.ts';
import { type Breaker, requireProof } from '../worker/breaker.ts';
import type { JobContext, JobHandler } from '../worker/job-context.ts';
import { lostWorkersMax } from '../worker/try-suspects-alone.ts';
import type { World } from '../world.ts';
import type { HandOver } from './hand-over.ts';

export interface EncodeBatchContext {
  stage: Pick<EncodeStage, 'model' | 'encode' | 'prove'>;
  openStore: (url: string) => Promise<ObjectStore>;
  queues: Pick<Queues, 'encode'>;
  breaker: Breaker;
  metrics: Metrics;
  world: World;
  handOver: HandOver;
}

/**
 * The encode stage's job: images → features, and all that became of them is handed over as one
 * decode job. Nothing else leaves this stage, and nothing leaves it that is not wanted any more.
 *
 * - Images that fail for good become failure rows; the others go on.
 * - Images whose store is unavailable, or cannot be opened, are deferred; the decoder enqueues
 *   their remainder.
 * - A batch that workers died on, or that fails in a way nobody foresaw, is halved, until the
 *   image that does it stands alone and becomes a failure row.
 */
export function encodeBatch(context: EncodeBatchContext): JobHandler<EncodeJob> {
  return async (job, jobContext) => {
    const { deaths, log } = jobContext;
    if (deaths >= lostWorkersMax) {
      log.error({ deaths }, 'workers died holding this batch');
      const message = `${deaths} workers died holding this image`;
      return isolate(context, job, jobContext, 'worker-lost', message);
    }
    const wanted = wantedOf(job);
    let encoded: EncodedImages;
    try {
      const store = await context.openStore(job.source);
      encoded = await context.stage.encode(wanted, store, job.featureType);
      context.breaker.succeeded();
    } catch (error) {
      if (isMissingStore(error)) {
        // There is none for any worker: the run's trouble, which other runs need not share.
        log.error({ source: job.source, error: describeError(error) }, 'the source cannot be read');
        const message = describeError(error);
        encoded = {
          outcomes: wanted.map(() => ({ status: 'deferred', message })),
          features: undefined,
        };
      } else if (isForUser(error) || isTransient(error)) {
        throw error;
      } else {
        log.error({ err: error }, 'encoding failed in a way that nobody foresaw');
        context.breaker.failed(error);
        return isolate(context, job, jobContext, 'internal', describeError(error));
      }
    }
    await handOver(context, toDecodeJob(job, encoded.outcomes), encoded.features, jobContext);
  };
}

/** `encodeImages` tells of it in words for the user, and names it as the cause. */
function isMissingStore(error: unknown): boolean {
  if (error instanceof StoreError) return error.isMissingStore;
  return error instanceof Error && error.cause !== undefined && isMissingStore(error.cause);
}

function toDecodeJob(job: EncodeJob, outcomes: readonly EncodeOutcome[]): DecodeJob {
  const { images: refs, ...batch } = job;
  const defer = countDivisions(job.attempt, 'r') < remaindersMax;
  const same = refs.filter((image) => waitsForOther(image, job));
  const own = refs.filter((image) => !waitsForOther(image, job));
  const decodeJob = { ...batch, ...applyOutcomes(own, outcomes, { defer }), features: null };
  return same.length > 0 ? { ...decodeJob, same } : decodeJob;
}

/** The images that are to be encoded. */
function wantedOf(job: EncodeJob): ImageRef[] {
  return job.images.filter((image) => !image.skipped && !waitsForOther(image, job));
}

/** Halves a batch, or gives up on the one image that is left. */
async function isolate(
  context: EncodeBatchContext,
  job: EncodeJob,
  jobContext: JobContext,
  failureClass: FailureClass,
  message: string,
): Promise<void> {
  if (job.images.length > 1 && countDivisions(job.attempt) < divisionsMax) {
    await jobContext.requireWanted();
    context.metrics.batchSplits.inc({ stage: 'encode' });
    for (const half of halve(job)) await context.queues.encode.add(half);
    return;
  }
  if (failureClass === 'internal') await requireProof(() => context.stage.prove());
  const failure = { class: failureClass, message };
  const outcomes = wantedOf(job).map((): EncodeOutcome => ({ status: 'failed', failure }));
  await handOver(context, toDecodeJob(job, outcomes), undefined, jobContext);
}

/** Keeps features where the run says so, and hands the batch over. */
async function handOver(
  context: EncodeBatchContext,
  job: DecodeJob,
  encoded: Features | undefined,
  jobContext: JobContext,
): Promise<void> {
  await jobContext.requireWanted();
  const { keep } = job;
  if (!keep || job.images.length === 0) return context.handOver(job, encoded, jobContext);
  const { stage, metrics, world } = context;
  const store = patientWithFeatures(await context.openStore(keep.store), world);
  const kept = new KeptFeatures(store, keep.prefix, job.run);
  const of = { model: stage.model, encoder: keep.encoder, id: world.newId() };
  const stays = await metrics.time('store', () => keepFeatures(kept, job, encoded, of));
  await context.handOver(stays.job, stays.isOwn ? encoded : undefined, jobContext);
}
