import type { EncodedImages, EncodeOutcome, EncodeStage, Features } from '@cutline/inference';
import { describeError, type FailureClass, isForUser, isTransient } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import { jobId } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import { applyOutcomes } from '../batch-results.ts';
import type { RunBoard } from '../board/run-board.ts';
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
import type { Queues } from '../queue/open-queues.ts';
import { type Breaker, requireProof } from '../worker/breaker.ts';
import type { JobContext, JobHandler } from '../worker/job-context.ts';
import type { World } from '../world.ts';

export interface EncodeBatchContext {
  stage: Pick<EncodeStage, 'model' | 'encode' | 'prove'>;
  openStore: (url: string) => Promise<ObjectStore>;
  features: FeatureStore;
  queues: Queues;
  board: RunBoard;
  breaker: Breaker;
  metrics: Metrics;
  world: World;
  /** Told how many bytes of features are in flight. */
  onStored: (bytesInFlight: number) => void;
}

/**
 * The encode stage's job: images → features, and one decode job that carries all that became of
 * them. Nothing else leaves this stage, and nothing leaves it that is not wanted any more.
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
    const wanted = job.images.filter((image) => !image.skipped);
    let encoded: EncodedImages;
    try {
      encoded = await context.stage.encode(wanted, await context.openStore(job.source));
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
  return { ...batch, ...applyOutcomes(refs, outcomes, { defer }), features: null };
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
  const outcomes = job.images
    .filter((image) => !image.skipped)
    .map((): EncodeOutcome => ({ status: 'failed', failure }));
  await handOver(context, toDecodeJob(job, outcomes), undefined, jobContext);
}

async function handOver(
  context: EncodeBatchContext,
  job: DecodeJob,
  encodedFeatures: Features | undefined,
  { requireWanted }: JobContext,
): Promise<void> {
  const { features, queues, board, metrics, stage } = context;
  const count = (status: EncodedImage['status']) =>
    job.images.filter((image) => image.status === status).length;
  const encoded = count('encoded');
  await requireWanted();
  let decodeJob = job;
  if (encodedFeatures) {
    const name = `${jobId(job)}:${context.world.newId()}`;
    const blob = packFeatures(stage.model, encodedFeatures);
    context.onStored(await metrics.time('store', () => features.put(name, blob)));
    decodeJob = { ...job, features: name };
  }
  // Another try may have got there first, or this one before its worker was thought dead: nobody
  // would come for these features, and they would stay until they expire.
  const isNew = await queues.decode.addNew(decodeJob);
  if (!isNew && decodeJob.features !== null) await features.remove(decodeJob.features);
  metrics.images.inc({ stage: 'encode', state: 'encoded' }, encoded);
  metrics.images.inc({ stage: 'encode', state: 'failed' }, count('failed'));
  metrics.images.inc({ stage: 'encode', state: 'deferred' }, job.deferred.length);
  if (encoded > 0) await board.count(job.run, `encode:${job.batch}.${job.attempt}`, { encoded });
}
