import type { ImageRef } from '../image-ref.ts';
import { batchesOf } from '../manifest.ts';
import type { Run } from '../run.ts';
import type { PartName, RunStore } from '../run-store.ts';
import { type ReadPart, type SettledImage, settleBatch } from '../settle.ts';
import { inTurn, readAhead } from './in-turn.ts';
import type { AttemptedRow } from './row-columns.ts';

/** Holds the batches of a chunk of the manifest against the rows that there are of it. */

/** A part as it was read from the store. */
export interface StoredPart extends ReadPart {
  name: PartName;
  bytes: Buffer;
}

/** A batch of the manifest with the rows that count, as far as there are any. */
export interface SettledBatch {
  batch: number;
  /** Of each, the part in which its row stands: one of those below, or of the rows from before. */
  images: SettledImage<ReadPart>[];
  /** All parts that were read, in the order of their names. */
  parts: StoredPart[];
}

/** A chunk of the manifest, and the parts that its batches are held against. */
export interface OpenChunk {
  chunk: number;
  images: readonly ImageRef[];
  /** In any order; what other batches' they are is not looked at. */
  parts: readonly PartName[];
  /** The rows that it had when it was compacted, of each image one. */
  before?: readonly AttemptedRow[] | undefined;
}

export type BatchSizes = Pick<Run, 'batchSize' | 'chunkBatches'>;

export async function* settleChunk(
  runStore: RunStore,
  run: BatchSizes,
  { chunk, images, parts, before = [] }: OpenChunk,
): AsyncGenerator<SettledBatch> {
  const reads = Array.from(batchesOf(chunk, images, run), ({ batch, images: refs }, place) => {
    const start = place * run.batchSize;
    const earlier = asParts(before.slice(start, start + refs.length));
    return () => settle(runStore, batch, refs, { names: ofBatch(parts, batch), earlier });
  });
  yield* inTurn(reads, readAhead);
}

/** All parts that there are of a chunk's batches. */
export function listChunkParts(
  runStore: RunStore,
  { chunkBatches }: BatchSizes,
  chunk: number,
): Promise<PartName[]> {
  return runStore.listParts(chunk * chunkBatches, (chunk + 1) * chunkBatches);
}

export function ofBatch(parts: readonly PartName[], batch: number): PartName[] {
  return parts.filter((part) => part.batch === batch);
}

export async function settle(
  runStore: RunStore,
  batch: number,
  refs: readonly ImageRef[],
  { names, earlier = [] }: { names: readonly PartName[]; earlier?: readonly ReadPart[] },
): Promise<SettledBatch> {
  const parts = await Promise.all(
    names.map(async (name): Promise<StoredPart> => {
      const { rows, bytes } = await runStore.readPart(name);
      return { name, attempt: name.attempt, rows, bytes };
    }),
  );
  return { batch, images: settleBatch(refs, [...earlier, ...parts]), parts };
}

/** Rows that stand together are as parts of their attempts. */
function asParts(rows: readonly AttemptedRow[]): ReadPart[] {
  const byAttempt = new Map<string, AttemptedRow['row'][]>();
  for (const { row, attempt } of rows) {
    const own = byAttempt.get(attempt) ?? [];
    own.push(row);
    byAttempt.set(attempt, own);
  }
  return Array.from(byAttempt, ([attempt, own]) => ({ attempt, rows: own }));
}
