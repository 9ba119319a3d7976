import {
  type Claim,
  countRepeated,
  countRows,
  type ImageRef,
  type Ledger,
  needsWork,
  type PartRow,
  type Run,
  type RunStore,
  readChunk,
  type StoredPart,
  settleChunk,
  sha256,
} from '@cutline/shared/run';
import type { World } from '../world.ts';

/** A chunk as its parts leave it. */
export interface ChunkState {
  /** Images without a row, or with a failure that is to be retried, by batch. */
  missing: Map<number, ImageRef[]>;
  /** The rows that count, and stay. */
  rows: PartRow[];
  /** The parts that they stand in, in the order of batches and attempts. */
  parts: StoredPart[];
}

interface ChunkContext {
  runStore: RunStore;
  run: Run;
  claims: readonly Claim[];
}

/** Holds a chunk of the manifest against the parts that there are. */
export async function examineChunk(context: ChunkContext, chunk: number): Promise<ChunkState> {
  const missing = new Map<number, ImageRef[]>();
  const rows: PartRow[] = [];
  const parts: StoredPart[] = [];
  for await (const { batch, images, parts: read } of settleChunk(
    context.runStore,
    context,
    chunk,
  )) {
    const wanting = images.filter((each) => needsWork(each, context.claims));
    if (wanting.length > 0)
      missing.set(
        batch,
        wanting.map(({ image }) => image),
      );
    const counting = new Set<StoredPart>();
    for (const settled of images) {
      const { row, part } = settled;
      if (!row || !part || wanting.includes(settled)) continue;
      rows.push(row);
      counting.add(part);
    }
    parts.push(...read.filter((part) => counting.has(part)));
  }
  return { missing, rows, parts };
}

/**
 * Closes a chunk, if every image of it has a row: from then on, only what its ledger names counts.
 * Nobody may be at work on it any more whose results are wanted.
 *
 * @returns the ledger, or what is still missing.
 */
export async function closeChunk(
  context: ChunkContext & { generation: number; world: World },
  chunk: number,
): Promise<{ ledger: Ledger } | { missing: Map<number, ImageRef[]> }> {
  const { runStore, run, claims, generation, world } = context;
  const { missing, rows, parts } = await examineChunk(context, chunk);
  if (missing.size > 0) return { missing };
  const manifest = await readChunk(runStore, claims, chunk);
  const counts = countRows(rows);
  if (counts.images !== manifest.images.length) {
    throw new Error(
      `chunk ${chunk} of run ${run.run}: ${counts.images} rows for ${manifest.images.length} images`,
    );
  }
  const ledger = await runStore.createLedger({
    format: 2,
    run: run.run,
    chunk,
    generation,
    manifest: { name: manifest.name, sha256: sha256(manifest.bytes) },
    ...counts,
    repeated: countRepeated(rows),
    parts: parts.map(({ name, bytes }) => ({
      name: name.key.slice(runStore.prefix.length),
      sha256: sha256(bytes),
    })),
    closed: new Date(world.now()).toISOString(),
  });
  return { ledger };
}
