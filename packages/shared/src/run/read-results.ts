import { addCounts, type Counts, countRows } from './counts.ts';
import type { ImageRef } from './image-ref.ts';
import type { Ledger, Ledger3 } from './ledger.ts';
import { batchesOf, readChunk, readNamedChunk } from './manifest.ts';
import type { PartRow } from './part.ts';
import { ledgerGeneration, type Run } from './run.ts';
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

/** A chunk of the manifest, and the parts that its batches are held against. */
export interface OpenChunk {
  chunk: number;
  images: readonly ImageRef[];
  /** In any order; what other batches' they are is not looked at. */
  parts: readonly PartName[];
}

/** Holds the batches of a chunk against parts. */
export async function* settleChunk(
  runStore: RunStore,
  run: BatchSizes,
  open: OpenChunk,
): AsyncGenerator<SettledBatch> {
  yield* inTurn(batchReads(runStore, run, open), readAhead);
}

/** All parts that there are of a chunk's batches. */
export function listChunkParts(
  runStore: RunStore,
  { chunkBatches }: BatchSizes,
  chunk: number,
): Promise<PartName[]> {
  return runStore.listParts(chunk * chunkBatches, (chunk + 1) * chunkBatches);
}

function* batchReads(
  runStore: RunStore,
  run: BatchSizes,
  { chunk, images, parts }: OpenChunk,
): Generator<() => Promise<SettledBatch>> {
  for (const { batch, images: refs } of batchesOf(chunk, images, run)) {
    yield () => settle(runStore, batch, refs, partsOf(parts, batch));
  }
}

function partsOf(parts: readonly PartName[], batch: number): PartName[] {
  return parts.filter((part) => part.batch === batch);
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

type BatchSizes = Pick<Run, 'batchSize' | 'chunkBatches'>;

/** What readers of results have to know of a run: see `readRunState`, `glanceAtRun`. */
export type ReadableRun = Pick<RunState, 'claims' | 'manifest' | 'summary'> & { run: BatchSizes };

/**
 * The images of a run with the rows that count, in the order of its manifest, a batch at a time.
 * From the ledger where a chunk has one, else from the parts.
 *
 * Whoever takes only the first costs little more than these: no more is read ahead than has been
 * taken, up to `readAhead` parts and one chunk.
 */
export async function* settleRun(
  runStore: RunStore,
  state: ReadableRun,
): AsyncGenerator<SettledBatch> {
  const open = async (chunk: number) => {
    const ledger = await findChunkLedger(runStore, state, chunk);
    return [...batchReads(runStore, state.run, await openChunk(runStore, state, chunk, ledger))];
  };
  yield* inTurn(readsOfChunks(state.manifest.chunks, open), 1);
}

/** A row that counts, and the part in which it stands. */
export interface SettledRow {
  row: PartRow;
  part: Pick<StoredPart, 'name' | 'attempt' | 'rows'>;
}

/**
 * The rows alone: one an image, none for images that have none yet. As `settleRun`, and without
 * asking the manifest for batches that stand in one part.
 */
export async function* placeRows(
  runStore: RunStore,
  state: ReadableRun,
): AsyncGenerator<SettledRow[]> {
  const open = (chunk: number) => rowReads(runStore, state, chunk);
  yield* inTurn(readsOfChunks(state.manifest.chunks, open), 1);
}

/** The same, without the parts. */
export async function* readResults(
  runStore: RunStore,
  state: ReadableRun,
): AsyncGenerator<PartRow[]> {
  for await (const placed of placeRows(runStore, state)) yield placed.map(({ row }) => row);
}

/** One read a batch, of chunk after chunk. */
async function* readsOfChunks<Read>(
  chunks: number,
  open: (chunk: number) => Promise<Read[]>,
): AsyncGenerator<Read> {
  let opening = chunks > 0 ? open(0) : undefined;
  for (let next = 1; opening; next++) {
    const reads: Read[] = await opening;
    opening = undefined;
    for (const [position, read] of reads.entries()) {
      yield read;
      // Soon enough that nobody waits for it, and not for those who want the first rows.
      const isHalf = position === Math.floor(reads.length / 2);
      if (isHalf && next < chunks) {
        opening = open(next);
        opening.catch(() => {}); // it is heard when its turn comes
      }
    }
  }
}

async function rowReads(
  runStore: RunStore,
  state: ReadableRun,
  chunk: number,
): Promise<(() => Promise<SettledRow[]>)[]> {
  const { batchSize, chunkBatches } = state.run;
  const ledger = await findChunkLedger(runStore, state, chunk);
  let opened: Promise<OpenChunk> | undefined;
  const open = () => {
    opened ??= openChunk(runStore, state, chunk, ledger);
    return opened;
  };
  const readSettled = async (place: number) => {
    const { images, parts } = await open();
    const refs = images.slice(place * batchSize, (place + 1) * batchSize);
    const batch = chunk * chunkBatches + place;
    const settled = await settle(runStore, batch, refs, partsOf(parts, batch));
    return settled.images.flatMap(({ row, part }) => (row && part ? [{ row, part }] : []));
  };
  const images = ledger ? ledger.images : (await open()).images.length;
  const whole = ledger?.format === 3 ? wholeBatches(runStore, ledger, state.run) : undefined;
  return Array.from({ length: Math.ceil(images / batchSize) }, (_, place) => async () => {
    const part = whole?.get(chunk * chunkBatches + place);
    if (!part) return readSettled(place);
    const { rows } = await runStore.readPart(part);
    const isWhole = rows.length === Math.min(batchSize, images - place * batchSize);
    const read = { name: part, attempt: part.attempt, rows };
    return isWhole ? rows.map((row) => ({ row, part: read })) : readSettled(place);
  });
}

/** The batches all of whose rows stand in one part: there, they are in the batch's order. */
function wholeBatches(
  runStore: RunStore,
  { chunk, images, parts }: Ledger3,
  { batchSize, chunkBatches }: BatchSizes,
): Map<number, PartName> {
  const whole = new Map<number, PartName>();
  for (const entry of parts) {
    const part = runStore.parsePartKey(runStore.prefix + entry.name);
    const place = part ? part.batch - chunk * chunkBatches : 0;
    const isWhole = entry.images === Math.min(batchSize, images - place * batchSize);
    if (part && isWhole) whole.set(part.batch, part);
  }
  return whole;
}

async function openChunk(
  runStore: RunStore,
  state: ReadableRun,
  chunk: number,
  ledger: Ledger | undefined,
): Promise<OpenChunk> {
  // Of a finished run, ledgers are about the chunks that count.
  const [{ images }, parts] = await Promise.all([
    ledger && state.summary
      ? readNamedChunk(runStore, ledger.manifest.name)
      : readChunk(runStore, state.claims, chunk),
    ledger ? ledgerParts(runStore, ledger) : listChunkParts(runStore, state.run, chunk),
  ]);
  return { chunk, images, parts };
}

async function findChunkLedger(
  runStore: RunStore,
  { summary }: ReadableRun,
  chunk: number,
): Promise<Ledger | undefined> {
  const generation =
    summary?.format === 3 ? ledgerGeneration(summary, chunk) : await runStore.findLedger(chunk);
  return generation === undefined ? undefined : runStore.readLedger(chunk, generation);
}

function ledgerParts(runStore: RunStore, { parts }: Ledger): PartName[] {
  return parts.flatMap(({ name }) => runStore.parsePartKey(runStore.prefix + name) ?? []);
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
    const open = await openChunk(runStore, state, chunk, undefined);
    for await (const { images } of settleChunk(runStore, state.run, open)) {
      counts.push(countRows(images.flatMap(({ row }) => (row ? [row] : []))));
    }
  }
  return counts;
}
