import { setTimeout as sleep } from 'node:timers/promises';
import type { PartName, Run, RunStore } from '@cutline/shared/run';
import type { Redis } from 'ioredis';
import { countByOutcome, countProgress, partStep, setProgress } from '../board/run-progress.ts';
import type { EncodeJob } from '../jobs.ts';
import { addJob, liveBatches, type Queues } from '../queue/queues.ts';
import { reconcileChunk } from './reconcile.ts';
import type { ManifestProgress } from './write-manifest.ts';

export interface EnqueueContext {
  runStore: RunStore;
  run: Run;
  output: EncodeJob['output'];
  queues: Queues;
  redis: Redis;
  manifest: ManifestProgress;
  /** Jobs kept waiting in the encode queue. */
  window: number;
}

/**
 * One pass over the manifest: every image that has no row in a part, and whose batch no job
 * holds, is enqueued under the run's generation. A first pass enqueues everything; a pass after a
 * crash, a flush of Redis or a retry enqueues what is missing; a pass that enqueues nothing is the
 * end of the run.
 *
 * @returns the images that were enqueued.
 */
export async function enqueueBatches(context: EnqueueContext): Promise<number> {
  const { runStore, run, queues, redis, manifest } = context;
  // Jobs first, then parts: a batch that finishes between the two is then seen as finished.
  const live = await liveBatches(queues, run.run);
  const parts: ReadonlyMap<number, PartName[]> = await runStore.listParts();
  let enqueued = 0;
  let passed = 0;
  for (let chunk = 0; await manifest.has(chunk); chunk++) {
    for await (const { batch, images, missing, parts: found } of reconcileChunk(runStore, chunk, {
      batchSize: run.batchSize,
      parts,
    })) {
      for (const { name, rows } of found) {
        await countProgress(redis, run.run, partStep(name), countByOutcome(rows));
      }
      if (missing.length > 0 && !live.has(batch)) {
        await untilWindowOpens(context);
        await addJob(queues.encode, toJob(context, batch, missing));
        enqueued += missing.length;
      }
      passed += images.length;
      await setProgress(redis, run.run, {
        listed: manifest.images,
        listingComplete: manifest.complete ? 1 : 0,
        enqueued: passed,
      });
    }
  }
  return enqueued;
}

function toJob(
  { run, output }: EnqueueContext,
  batch: number,
  images: EncodeJob['images'],
): EncodeJob {
  return {
    run: run.run,
    batch,
    attempt: String(run.generation),
    source: run.source.store,
    output,
    model: run.model,
    options: run.options,
    sidecars: run.sidecars,
    images,
  };
}

/** Waits while the encode queue has a window of jobs waiting; looks again each quarter second. */
async function untilWindowOpens({ queues, window }: EnqueueContext): Promise<void> {
  while ((await queues.encode.getWaitingCount()) >= window) await sleep(250);
}
