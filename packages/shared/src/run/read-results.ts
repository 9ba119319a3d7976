import type { Claim } from './claim.ts';
import { type Counts, countRows } from './counts.ts';
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
  const pending: Promise<SettledBatch>[] = [];
  for (const { batch, images: refs } of batchesOf(chunk, images, run)) {
    const own = parts.filter((part) => part.batch === batch);
    const read = settle(runStore, batch, refs, own);
    read.catch(() => {}); // it is awaited, and heard, in its turn
    pending.push(read);
    if (pending.length >= readAhead) yield (await pending.shift()) as SettledBatch;
  }
  for (const batch of pending) yield await batch;
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
 */
export async function* settleRun(
  runStore: RunStore,
  state: RunState,
): AsyncGenerator<SettledBatch> {
  const ledgers = await runStore.listLedgers();
  for (let chunk = 0; chunk < state.manifest.chunks; chunk++) {
    const generation = ledgers.get(chunk);
    const names =
      generation === undefined ? undefined : await ledgerParts(runStore, chunk, generation);
    yield* settleChunk(runStore, state, chunk, names);
  }
}

/** The rows alone: one an image, none for images that have none yet. */
export async function* readResults(runStore: RunStore, state: RunState): AsyncGenerator<PartRow[]> {
  for await (const { images } of settleRun(runStore, state)) {
    yield images.flatMap(({ row }) => (row ? [row] : []));
  }
}

async function ledgerParts(
  runStore: RunStore,
  chunk: number,
  generation: number,
): Promise<PartName[]> {
  const ledger = await runStore.readLedger(chunk, generation);
  return ledger.parts.flatMap(({ name }) => runStore.parsePartKey(runStore.prefix + name) ?? []);
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
