import type { Claim } from './claim.ts';
import { addCounts, type Counts, countRows } from './counts.ts';
import type { ImageRef } from './image-ref.ts';
import { batchesOf, readChunk } from './manifest.ts';
import type { PartRow } from './part.ts';
import type { Run } from './run.ts';
import type { RunState } from './run-state.ts';
import type { PartName, RunStore } from './run-store.ts';
import { type ReadPart, type SettledImage, settleBatch } from './settle.ts';

/** A part as it was read from the store. */
export interface StoredPart extends ReadPart {
  name: PartName;
  bytes: Buffer;
}

/** A batch of the manifest with the rows that count, as far as there are any. */
export interface SettledBatch {
  batch: number;
  images: SettledImage<StoredPart>[];
  /** All parts that were read, in the order of their names. */
  parts: StoredPart[];
}

/** Parts read at once. */
export const readAhead = 16;

/**
 * Holds the batches of a chunk against parts: the ones named, or all that there are.
 *
 * @param names of parts, in any order; what other batches' they are is not looked at.
 */
export async function* settleChunk(
  runStore: RunStore,
  { run, claims }: { run: Run; claims: readonly Claim[] },
  chunk: number,
  names?: readonly PartName[],
): AsyncGenerator<SettledBatch> {
  const { images } = await readChunk(runStore, claims, chunk);
  const first = chunk * run.chunkBatches;
  const parts = names ?? (await runStore.listParts(first, first + run.chunkBatches));
  yield* inTurn(batchReads(runStore, run, { chunk, images, parts }), readAhead);
}

/** A chunk of the manifest, and the parts that its batches are held against. */
interface OpenChunk {
  chunk: number;
  images: readonly ImageRef[];
  parts: readonly PartName[];
}

function* batchReads(
  runStore: RunStore,
  run: Run,
  { chunk, images, parts }: OpenChunk,
): Generator<() => Promise<SettledBatch>> {
  for (const { batch, images: refs } of batchesOf(chunk, images, run)) {
    const own = parts.filter((part) => part.batch === batch);
    yield () => settle(runStore, batch, refs, own);
  }
}

/**
 * Begins reads before their turn, and gives what they read in their order.
 * @param ahead as many at first; with each that is wanted twice as many, up to `readAhead`
 */
async function* inTurn<T>(
  reads: Iterable<() => Promise<T>> | AsyncIterable<() => Promise<T>>,
  ahead: number,
): AsyncGenerator<T> {
  const begun: Promise<T>[] = [];
  for await (const read of reads) {
    const next = read();
    next.catch(() => {}); // it is awaited, and heard, in its turn
    begun.push(next);
    if (begun.length < ahead) continue;
    yield (await begun.shift()) as T;
    ahead = Math.min(2 * ahead, readAhead);
  }
  for (const each of begun) yield await each;
}

async function settle(
  runStore: RunStore,
  batch: number,
  refs: Parameters<typeof settleBatch>[0],
  names: readonly PartName[],
): Promise<SettledBatch> {
  const parts = await Promise.all(
    names.map(async (name): Promise<StoredPart> => {
      const { rows, bytes } = await runStore.readPart(name);
      return { name, attempt: name.attempt, rows, bytes };
    }),
  );
  return { batch, images: settleBatch(refs, parts), parts };
}

/**
 * The images of a run with the rows that count, in the order of its manifest, a batch at a time.
 * From the ledger where a chunk has one, else from the parts.
 *
 * Whoever takes only the first costs little more than these: no more is read ahead than has been
 * taken, up to `readAhead` parts and one chunk.
 */
export async function* settleRun(
  runStore: RunStore,
  state: RunState,
): AsyncGenerator<SettledBatch> {
  yield* inTurn(allBatchReads(runStore, state), 1);
}

/** The rows alone: one an image, none for images that have none yet. */
export async function* readResults(runStore: RunStore, state: RunState): AsyncGenerator<PartRow[]> {
  for await (const { images } of settleRun(runStore, state)) {
    yield images.flatMap(({ row }) => (row ? [row] : []));
  }
}

async function* allBatchReads(
  runStore: RunStore,
  state: RunState,
): AsyncGenerator<() => Promise<SettledBatch>> {
  const { run, manifest } = state;
  let opening = manifest.chunks > 0 ? openChunk(runStore, state, 0) : undefined;
  for (let next = 1; opening; next++) {
    const open = await opening;
    const reads = [...batchReads(runStore, run, open)];
    opening = undefined;
    for (const [position, read] of reads.entries()) {
      yield read;
      // Soon enough that nobody waits for it, and not for those who want the first rows.
      const isHalf = position === Math.floor(reads.length / 2);
      if (isHalf && next < manifest.chunks) {
        opening = openChunk(runStore, state, next);
        opening.catch(() => {}); // it is heard when its turn comes
      }
    }
  }
}

async function openChunk(runStore: RunStore, state: RunState, chunk: number): Promise<OpenChunk> {
  const { run, claims } = state;
  const [{ images }, generation] = await Promise.all([
    readChunk(runStore, claims, chunk),
    runStore.findLedger(chunk),
  ]);
  const first = chunk * run.chunkBatches;
  const parts =
    generation === undefined
      ? await runStore.listParts(first, first + run.chunkBatches)
      : await ledgerParts(runStore, chunk, generation);
  return { chunk, images, parts };
}

async function ledgerParts(
  runStore: RunStore,
  chunk: number,
  generation: number,
): Promise<PartName[]> {
  const ledger = await runStore.readLedger(chunk, generation);
  return ledger.parts.flatMap(({ name }) => runStore.parsePartKey(runStore.prefix + name) ?? []);
}

/**
 * What became of the images of chunks that are closed, from their ledgers alone.
 * @param known ledgers that were read before, by name; gets those that are read now
 */
export async function countLedgers(
  runStore: RunStore,
  known = new Map<string, Counts>(),
): Promise<Counts> {
  const latest = await runStore.listLedgers();
  const reads = [...latest].map(([chunk, generation]) => async () => {
    const name = runStore.ledgerName(chunk, generation);
    const counts = known.get(name) ?? (await runStore.readLedger(chunk, generation));
    known.set(name, addCounts([counts])); // without the names of parts
    return counts;
  });
  const all: Counts[] = [];
  for await (const counts of inTurn(reads, readAhead)) all.push(counts);
  return addCounts(all);
}

/** What became of the images so far, without reading parts of chunks that have a ledger. */
export async function countResults(runStore: RunStore, state: RunState): Promise<Counts[]> {
  const ledgers = await runStore.listLedgers();
  const counts: Counts[] = [];
  for (let chunk = 0; chunk < state.manifest.chunks; chunk++) {
    const generation = ledgers.get(chunk);
    if (generation !== undefined) {
      counts.push(await runStore.readLedger(chunk, generation));
      continue;
    }
    for await (const { images } of settleChunk(runStore, state, chunk)) {
      counts.push(countRows(images.flatMap(({ row }) => (row ? [row] : []))));
    }
  }
  return counts;
}
