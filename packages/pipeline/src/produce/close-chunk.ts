import type { ImageRef, Ledger } from '@cutline/shared/run';
import type { World } from '../world.ts';
import { type ChunkContext, examineChunk } from './examine-chunk.ts';
import { examineReopened } from './examine-reopened.ts';

/** What a producer remembers of a ledger: of all chunks, so not the names of all parts. */
export type ClosedChunk = Omit<Ledger, 'parts'> & { parts: number };

export function closedBy(ledger: Ledger): ClosedChunk {
  return { ...ledger, parts: ledger.parts.length };
}

/**
 * Closes a chunk, if every image of it has a row: from then on, only what its ledger names counts.
 * Nobody may be at work on it any more whose results are wanted.
 *
 * @param before the ledger that it had, where failures of it were tried again
 * @returns the ledger, or what is still missing.
 */
export async function closeChunk(
  context: ChunkContext & { generation: number; world: World },
  chunk: number,
  before?: Ledger,
): Promise<{ ledger: Ledger } | { missing: Map<number, ImageRef[]> }> {
  const { runStore, run, generation, world } = context;
  const changed = before && (await examineReopened(context, before, true));
  const { images, missing, content } = changed ?? (await examineChunk(context, chunk));
  if (missing.size > 0) return { missing };
  if (content.images !== images) {
    throw new Error(
      `chunk ${chunk} of run ${run.run}: ${content.images} rows for ${images} images`,
    );
  }
  const ledger = await runStore.createLedger({
    format: 3,
    run: run.run,
    chunk,
    generation,
    ...content,
    closed: new Date(world.now()).toISOString(),
  });
  return { ledger };
}
