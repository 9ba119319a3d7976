import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '@cutline/shared/errors';
import type { Logger, Metrics } from '@cutline/shared/process';
import type { Run, Summary } from '@cutline/shared/run';
import { liveBatches } from '../queue/queues.ts';
import { type EnqueueContext, enqueueBatches } from './enqueue-batches.ts';
import type { Listing } from './resume-listing.ts';
import { summarise } from './summarise.ts';
import { writeManifest } from './write-manifest.ts';

export interface ProduceContext extends EnqueueContext {
  /** What is left to list; undefined when the manifest is complete. */
  listing: Listing | undefined;
  metrics: Metrics;
  log: Logger;
}

/** Passes in a row that may end with images still missing and no caption gained. */
const idlePassesMax = 3;

/**
 * Brings a run to its end, from wherever it is:
 *
 *   1. list → manifest, and at the same time
 *   2. enqueue what the manifest has and the parts lack, within the window
 *   3. wait until no job of the run is left
 *   4. hold the parts against the manifest: something missing → 2, under the next generation
 *   5. write summary.json
 *
 * A new run and a resumed one differ only in what they find.
 */
export async function produce(context: ProduceContext): Promise<Summary> {
  const { runStore, manifest, listing, log } = context;
  let { run } = context;
  const listed = listing ? listAll(context, listing) : Promise.resolve();
  // A failed listing must end the wait for the next chunk as well.
  const firstPass = enqueueBatches(context);
  await Promise.race([firstPass, listed.then(() => firstPass)]);
  run = await markListed(context);

  let leastMissing = Number.POSITIVE_INFINITY;
  let idlePasses = 0;
  for (;;) {
    await untilNoJobIsLeft(context);
    const { missing, summary } = await summarise(runStore, run, manifest, new Date());
    if (summary) {
      await runStore.writeSummary(summary);
      return summary;
    }
    idlePasses = missing < leastMissing ? 0 : idlePasses + 1;
    leastMissing = Math.min(leastMissing, missing);
    if (idlePasses >= idlePassesMax) {
      throw new UserError(
        `${missing} images of run "${run.run}" come back without a result, pass after ` +
          `pass. See the workers' logs, then: cutline resume ${run.run}`,
      );
    }
    run = { ...run, generation: run.generation + 1 };
    await runStore.writeRun(run);
    log.info({ missing, generation: run.generation }, 'enqueuing what is missing');
    await enqueueBatches({ ...context, run });
  }
}

async function listAll(context: ProduceContext, listing: Listing): Promise<void> {
  const { runStore, run, manifest, metrics } = context;
  await writeManifest(runStore, listing.images, {
    batchSize: run.batchSize,
    progress: manifest,
    metrics,
    start: listing.start,
  });
}

async function markListed({ runStore, run, manifest }: EnqueueContext): Promise<Run> {
  if (run.images === manifest.images) return run;
  const listed = { ...run, images: manifest.images };
  await runStore.writeRun(listed);
  return listed;
}

/** Looks soon at first, for short runs, then every two seconds. */
async function untilNoJobIsLeft({ queues, run }: EnqueueContext): Promise<void> {
  for (let pauseMs = 100; (await liveBatches(queues, run.run)).size > 0; ) {
    await sleep(pauseMs);
    pauseMs = Math.min(2_000, pauseMs * 1.5);
  }
}
