import { describeError, type RetryClass } from '@cutline/shared/errors';
import { listImages, requireKeysList } from '@cutline/shared/listing';
import type { Logger, Metrics } from '@cutline/shared/process';
import { KeptFeatures, type Run, RunStore, type Summary } from '@cutline/shared/run';
import { type Location, type ObjectStore, patientStore } from '@cutline/shared/stores';
import type { RunBoard } from '../board/run-board.ts';
import type { LockContext } from '../board/run-lock.ts';
import type { Queues } from '../queue/open-queues.ts';
import { traceQueues } from '../queue/traced-queues.ts';
import type { World } from '../world.ts';
import { beginOrGoOn, beginRun, type ClaimedRun, resumeRun } from './claim-run.ts';
import { listKept } from './kept-source.ts';
import { markDuplicates } from './mark-duplicates.ts';
import { produce } from './produce.ts';
import { describeExcluded, resultsPrefix } from './request/run-request.ts';
import { resumeListing } from './resume-listing.ts';

export interface DriveRunContext {
  /** A new run (which `orGoOn` may have been begun before), or the name of one that exists. */
  what:
    | { begin: Run; orGoOn?: boolean }
    | {
        resume: string;
        retry?: readonly RetryClass[];
        /** Of a run that is finished: its chunks that are in parts are compacted. */
        compact?: boolean;
      };
  output: Location;
  openStore: (url: string) => Promise<ObjectStore>;
  board: RunBoard;
  /** Opens the queues of a model. */
  openQueues: (model: string) => Queues;
  /** Jobs of the run at most, in both queues. */
  window: number;
  world: World;
  metrics: Metrics;
  log: Logger;
  /** Called once the run is ours, and before anything is listed or enqueued. */
  onClaimed?: (claimed: ClaimedRun, runStore: RunStore, queues: Queues) => Promise<void> | void;
}

/**
 * Begins a run, or goes on with one, and sees it to its end; through outages of the stores and of
 * Redis, for as long as they last.
 *
 * @returns the summary; of a run that is finished, without touching it.
 * @throws UserError for what a person has to put right
 */
export async function driveRun(context: DriveRunContext): Promise<Summary> {
  const { what, output, openStore, board, window, world, metrics, log } = context;
  const plain = await openStore(output.store);
  await plain.check(); // at the start, what cannot be reached is a mistake, and no outage
  const outputStore = patientStore(plain, world, told(log, 'the output store'));
  const name = 'begin' in what ? what.begin.run : what.resume;
  const runStore = new RunStore(outputStore, output.prefix, name);
  if ('begin' in what) await checkSource(what.begin, openStore);
  const claiming = { board, runStore, world, log };
  const claimed = await claim(claiming, what);
  if ('finished' in claimed) return claimed.finished;
  try {
    const { run } = claimed.state;
    const queues = traceQueues(context.openQueues(run.model), 'producer', metrics.tracing);
    const listing = await openListing(context, claimed, runStore);
    await context.onClaimed?.(claimed, runStore, queues);
    const { generation } = claimed.claim;
    log.info({ run: run.run, results: runStore.url, generation }, 'producing');
    const kept = await openKept(context, run);
    const compacts = 'resume' in what && what.compact === true;
    const base = { runStore, output, queues, board, kept, window, compacts, world, metrics, log };
    const summary = await Promise.race([produce(base, claimed, listing), claimed.lock.lost]);
    const { captioned, failed } = summary;
    log.info({ run: run.run, captioned, failed }, 'run finished');
    return summary;
  } finally {
    await claimed.lock.release();
  }
}

function claim(claiming: LockContext, what: DriveRunContext['what']) {
  if (!('begin' in what)) return resumeRun(claiming, what);
  return what.orGoOn ? beginOrGoOn(claiming, what.begin) : beginRun(claiming, what.begin);
}

/** Before a run is begun with it. */
async function checkSource(run: Run, openStore: DriveRunContext['openStore']): Promise<void> {
  if (run.decodes?.location) await (await openStore(run.decodes.location.store)).check();
  if (run.decodes) return; // the images may be gone
  const store = await openStore(run.source.store);
  await store.check();
  if (run.keepFeatures?.location) await (await openStore(run.keepFeatures.location.store)).check();
  const { keysFrom: from, keyColumn, columns, carry } = run.selection;
  const stores = { open: openStore };
  if (from !== null) {
    await requireKeysList({ from, keyColumn, columns, carry, source: store, stores });
  }
}

/** The features that a run decodes; undefined where it has images to encode. */
async function openKept(
  { output, openStore, world, log }: DriveRunContext,
  { decodes }: Run,
): Promise<KeptFeatures | undefined> {
  if (!decodes) return undefined;
  const { store, prefix } = decodes.location ?? output;
  const patient = patientStore(await openStore(store), world, told(log, 'the kept features'));
  return new KeptFeatures(patient, prefix, decodes.run);
}

/** What is left to list; undefined where the manifest is complete. */
async function openListing(
  { output, openStore, world, log }: DriveRunContext,
  { state }: ClaimedRun,
  runStore: RunStore,
) {
  if (state.manifest.images !== null) return undefined;
  const { source, selection, decodes } = state.run;
  if (decodes) {
    const keeper = new RunStore(runStore.store, output.prefix, decodes.run);
    return resumeListing(runStore, state, () => listKept(keeper));
  }
  const open = async (url: string) =>
    patientStore(await openStore(url), world, told(log, 'the source'));
  const store = await open(source.store);
  const exceptPrefix = resultsPrefix(source, output);
  const options = {
    exceptPrefix,
    onExcluded: (keys: number) => log.info(describeExcluded(keys, exceptPrefix)),
    stores: { open },
  };
  const listing = await resumeListing(runStore, state, (startAfter) =>
    listImages({ store, prefix: source.prefix }, selection, { ...options, startAfter }),
  );
  if (!state.run.duplicates) return listing;
  return { ...listing, rest: markDuplicates(listing, runStore, state) };
}

function told(log: Logger, name: string) {
  return {
    onWait: (error: unknown) => log.warn({ error: describeError(error) }, `waiting for ${name}`),
    onOver: (durationMs: number) => log.warn({ durationMs }, `${name} answers again`),
  };
}
