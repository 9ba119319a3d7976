import { UserError } from '@cutline/shared/errors';
import type { Logger, Metrics } from '@cutline/shared/process';
import type { KeptFeatures, RunStore, Summary } from '@cutline/shared/run';
import { generationOfChunk } from '@cutline/shared/run';
import type { RunBoard } from '../board/run-board.ts';
import { countsOfOutcomes } from '../board/run-progress.ts';
import type { EncodeJob } from '../jobs.ts';
import { patiently } from '../patience.ts';
import type { Queues } from '../queue/open-queues.ts';
import type { World } from '../world.ts';
import { type ClosedChunk, closedBy } from './chunk/close-chunk.ts';
import { Removals } from './chunk/removals.ts';
import { type ClaimedRun, claimRun } from './claim-run.ts';
import { makePass } from './make-pass.ts';
import type { Listing } from './resume-listing.ts';
import { writeSummary } from './summarise.ts';
import { sweepRun } from './sweep-run.ts';
import { ManifestProgress, writeManifest } from './write-manifest.ts';

export interface ProduceContext {
  runStore: RunStore;
  output: EncodeJob['output'];
  queues: Queues;
  board: RunBoard;
  manifest: ManifestProgress;
  /** Features that the run decodes, where it has no images to encode. */
  kept: KeptFeatures | undefined;
  /** Jobs of the run at most that wait, are delayed or in hand, in both queues together. */
  window: number;
  /** Whether chunks that are in parts are compacted, whatever else there is to do. */
  compacts: boolean;
  world: World;
  metrics: Metrics;
  log: Logger;
}

/** Passes in a row that may end with images still missing and none of them gained. */
const idlePassesMax = 3;

/**
 * Brings a claimed run to its end, from wherever it is: lists what is not listed, makes passes
 * over the manifest until every chunk has its ledger, each under a claim of its own, and writes the
 * summary. A new run, a resumed one and a retried one differ only in what they find.
 *
 * @param listing what is left to list; undefined when the manifest is complete.
 * @throws UserError where images come back without a row, pass after pass, or the run is another's
 */
export async function produce(
  base: Omit<ProduceContext, 'manifest'>,
  claimed: ClaimedRun,
  listing: Listing | undefined,
): Promise<Summary> {
  const { runStore, board, log } = base;
  const { run, manifest: found } = claimed.state;
  const manifest = new ManifestProgress({
    chunks: found.chunks,
    images: listing?.imagesBefore ?? found.images ?? 0,
    bytes: listing?.imagesBefore === 0 ? 0 : undefined,
    isComplete: listing === undefined,
  });
  await patiently('progress', () => board.resetProgress(run.run), base);
  await patiently('progress', () => board.raiseFloor(run.run, claimed.state.floor), base);
  await patiently('progress', () => board.enlist({ run: run.run, model: run.model }), base);
  const ledgers = await readLedgers(runStore, claimed);
  const removals = new Removals(runStore, log);
  const context = { ...base, manifest, ledgers, reopened: new Map(), removals };

  const listed = listing ? writeListing(context, claimed, listing) : Promise.resolve();
  listed.catch(() => {}); // it is heard below, also when the pass fails first
  const firstPass = makePass({ ...context, claimed });
  firstPass.catch(() => {});
  // A failed listing must end the wait for the next chunk as well.
  let left = await Promise.race([firstPass, listed.then(() => firstPass)]);

  let leastMissing = Number.POSITIVE_INFINITY;
  for (let idlePasses = 0; left.size > 0; ) {
    const missing = [...left.values()].reduce((sum, images) => sum + images, 0);
    idlePasses = missing < leastMissing ? 0 : idlePasses + 1;
    leastMissing = Math.min(leastMissing, missing);
    if (idlePasses >= idlePassesMax) {
      throw new UserError(
        `${missing} images of run "${run.run}" come back without a result, pass after ` +
          `pass. See the workers' logs, then: cutline resume ${run.run}`,
      );
    }
    const generation = claimed.claim.generation + 1;
    claimed = await claimRun({ ...base, board }, claimed.lock, { generation });
    log.info({ missing, generation }, 'enqueuing what is missing');
    left = await makePass({ ...context, claimed }, new Set(left.keys()));
  }
  const summary = await writeSummary(context, claimed, ledgers);
  await patiently('progress', () => board.raiseFloor(run.run, summary.generation + 1), base);
  const counts = { listed: summary.images, listingComplete: 1, ...countsOfOutcomes(summary) };
  await patiently('progress', () => board.endProgress(run.run, counts), base);
  await removals.end(); // of what the sweep would find as well
  await sweepRun({ runStore, run, claim: claimed.claim, removals }, ledgers.values());
  return summary;
}

async function writeListing(
  { runStore, manifest, metrics, world }: ProduceContext,
  { state, claim, lock }: ClaimedRun,
  { rest }: Listing,
): Promise<void> {
  await writeManifest(runStore, rest, {
    chunkImages: state.run.batchSize * state.run.chunkBatches,
    generation: claim.generation,
    progress: manifest,
    metrics,
    now: () => world.now(),
    held: () => lock.held(),
  });
}

/** The ledgers that are about the chunks of the manifest that count. */
async function readLedgers(
  runStore: RunStore,
  { state: { claims } }: ClaimedRun,
): Promise<Map<number, ClosedChunk>> {
  const ledgers = new Map<number, ClosedChunk>();
  const latest = [...(await runStore.listLedgers())];
  for (let start = 0; start < latest.length; start += 16) {
    const some = latest.slice(start, start + 16).map(async ([chunk, generation]) => {
      if (generation < generationOfChunk(claims, chunk)) return;
      ledgers.set(chunk, closedBy(await runStore.readLedger(chunk, generation)));
    });
    await Promise.all(some);
  }
  return ledgers;
}
