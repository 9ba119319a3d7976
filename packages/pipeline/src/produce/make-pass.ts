import type { QueueName } from '@cutline/shared/process';
import { batchesOf, isGone, isReopened, type Ledger, readChunk } from '@cutline/shared/run';
import { superseded } from '../board/run-lock.ts';
import { countsOfOutcomes } from '../board/run-progress.ts';
import { patiently } from '../patience.ts';
import { type ClosedChunk, closeChunk, closedBy } from './chunk/close-chunk.ts';
import { examineChunk } from './chunk/examine-chunk.ts';
import { examineReopened } from './chunk/examine-reopened.ts';
import type { Removals } from './chunk/removals.ts';
import type { ClaimedRun } from './claim-run.ts';
import { enqueue, type PlannedBatch } from './enqueue.ts';
import type { ProduceContext } from './produce.ts';

/** What a pass works with: the run as it was claimed for it. */
export interface PassContext extends ProduceContext {
  claimed: ClaimedRun;
  /** The ledgers that count so far, by chunk; the pass adds those that it writes. */
  ledgers: Map<number, ClosedChunk>;
  /** The ledgers that chunks had whose failures are tried again, while they are open. */
  reopened: Map<number, Ledger>;
  removals: Removals;
}

/** Looks soon at first, for short runs, then every second. */
const pauseMsMin = 100;
const pauseMsMax = 1_000;

/**
 * One pass over the manifest, under one claim. Chunk by chunk, in order:
 *
 *   1. What has no row yet, and is in no job, is enqueued, within the window.
 *   2. When no job of the chunk is left, it is held against its parts, and closed by a ledger if
 *      every image has a row.
 *
 * Jobs are always looked at before parts: a batch that finishes in between is seen as finished.
 *
 * @param only these chunks, of a manifest that is complete
 * @returns images that are left without a row, by chunk.
 */
export async function makePass(
  context: PassContext,
  only?: ReadonlySet<number>,
): Promise<Map<number, number>> {
  const { manifest, world, window } = context;
  const { lock, state } = context.claimed;
  const chunkOf = (batch: number) => Math.floor(batch / state.run.chunkBatches);
  const left = new Map<number, number>();
  const open: number[] = [];
  let waiting: PlannedBatch[] = [];
  let next = 0;
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 1.5, pauseMsMax)) {
    await lock.held();
    const jobs = await LiveJobs.look(context);
    for (const chunk of [...open]) {
      const isOfChunk = (batch: number) => chunkOf(batch) === chunk;
      if (waiting.some(({ batch }) => isOfChunk(batch)) || (await jobs.some(isOfChunk))) continue;
      const missing = await whileOurs(context, () => settle(context, chunk));
      if (missing > 0) left.set(chunk, missing);
      open.splice(open.indexOf(chunk), 1);
    }
    for (let room = window - jobs.count; room > 0; ) {
      const planned = waiting.shift();
      if (planned) {
        await enqueue(context, planned);
        room -= 1;
      } else if (next < manifest.chunks) {
        const chunk = next++;
        if (only && !only.has(chunk)) continue;
        waiting = await whileOurs(context, () => plan(context, chunk, jobs));
        if (!context.ledgers.has(chunk)) open.push(chunk);
        await tellProgress(context, next);
      } else break;
    }
    const isEnqueued = manifest.isComplete && next >= manifest.chunks && waiting.length === 0;
    if (isEnqueued && open.length === 0) {
      await tellProgress(context, next);
      return left;
    }
    await world.sleep(pauseMs);
  }
}

/** The run's jobs in both queues: which batches they hold, and how many they are. */
class LiveJobs {
  readonly #context: PassContext;
  readonly #batches = new Set<number>();
  #count = 0;
  #isSure = false;

  private constructor(context: PassContext) {
    this.#context = context;
  }

  static async look(context: PassContext): Promise<LiveJobs> {
    const jobs = new LiveJobs(context);
    jobs.#count = (await jobs.#read('encode')) + (await jobs.#read('decode'));
    return jobs;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether a job holds such a batch; most often, one look tells that one does. */
  async some(matches: (batch: number) => boolean): Promise<boolean> {
    return [...this.#batches].some(matches) || [...(await this.batches())].some(matches);
  }

  /** None is missed: a decode job may have sent its batch back to the encoders between two reads. */
  async batches(): Promise<ReadonlySet<number>> {
    if (!this.#isSure) await this.#read('encode');
    this.#isSure = true;
    return this.#batches;
  }

  async #read(stage: QueueName): Promise<number> {
    const { queues, claimed } = this.#context;
    const read = () => queues[stage].live(claimed.state.run.run);
    const jobs = await patiently(`the ${stage} queue`, read, this.#context);
    for (const { batch } of jobs) this.#batches.add(batch);
    return jobs.length;
  }
}

/** The batches of a chunk that want a job. It may turn out to be closed: then `ledgers` has it. */
async function plan(context: PassContext, chunk: number, jobs: LiveJobs): Promise<PlannedBatch[]> {
  const { board, runStore, ledgers, reopened, claimed, compacts } = context;
  const { run, claims } = claimed.state;
  const { run: name } = run;
  const ledger = ledgers.get(chunk);
  const isClosed = ledger && !isReopened(ledger, claims);
  if (isClosed && (!compacts || ledger.results !== undefined)) {
    await patiently(
      'progress',
      () => board.count(name, `chunk:${chunk}`, countsOfOutcomes(ledger)),
      context,
    );
    return [];
  }
  if (ledger) reopened.set(chunk, await runStore.readLedger(chunk, ledger.generation));
  ledgers.delete(chunk);
  if (isClosed) return []; // it is only to be compacted
  if (chunk >= claimed.state.manifest.chunks) {
    // Listed under this claim: nobody can have worked on it.
    const { images } = await readChunk(runStore, claims, chunk);
    return [...batchesOf(chunk, images, run)];
  }
  const live = await jobs.batches();
  const before = reopened.get(chunk);
  const changed = before && (await examineReopened({ runStore, run, claims }, before, false));
  const found = changed ?? (await examineChunk({ runStore, run, claims }, chunk, before));
  for (const [step, counts] of found.progress) {
    await patiently('progress', () => board.count(name, step, counts), context);
  }
  return [...found.missing]
    .filter(([batch]) => !live.has(batch))
    .map(([batch, images]) => ({ batch, images }));
}

/** @returns images that are left without a row. */
async function settle(context: PassContext, chunk: number): Promise<number> {
  const { runStore, world, ledgers, reopened, claimed, compacts, removals, log } = context;
  const { claim, lock, state } = claimed;
  const { run, claims } = state;
  await lock.held();
  const closing = { runStore, run, claims, claim, lock, compacts, removals, world, log };
  const closed = await closeChunk(closing, chunk, reopened.get(chunk));
  if ('ledger' in closed) {
    reopened.delete(chunk);
    ledgers.set(chunk, closedBy(closed.ledger));
    return 0;
  }
  const images = [...closed.missing.values()].reduce((sum, refs) => sum + refs.length, 0);
  log.info({ run: run.run, chunk, images }, 'images are left without a row');
  return images;
}

/** A producer that slept may find gone what its successor has compacted. */
async function whileOurs<T>(
  { runStore, claimed }: PassContext,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { generation, owner } = claimed.claim;
    if (isGone(error) && (await runStore.isSuperseded(generation, owner))) {
      throw superseded(runStore.run);
    }
    throw error;
  }
}

async function tellProgress(context: PassContext, chunks: number): Promise<void> {
  const { board, manifest, claimed } = context;
  const { run, model, batchSize, chunkBatches, deadline } = claimed.state.run;
  const counts = {
    listed: manifest.images,
    listedBytes: manifest.bytes,
    listingComplete: manifest.isComplete ? 1 : 0,
    enqueued: Math.min(chunks * chunkBatches * batchSize, manifest.images),
    deadlineMs: deadline === undefined ? undefined : Date.parse(deadline),
  };
  await patiently('progress', () => board.setProgress(run, counts), context);
  // Again and again: a Redis that was flushed knows of no run.
  await patiently('progress', () => board.enlist({ run, model }), context);
}
