import type { Logger } from '@cutline/shared/process';
import type { Claim, Counts, ImageRef, Ledger } from '@cutline/shared/run';
import { ledgerParts } from '@cutline/shared/run';
import type { RunLock } from '../../board/run-lock.ts';
import type { World } from '../../world.ts';
import { compactChunk, isCompacting } from './compact-chunk.ts';
import { type ChunkContext, examineChunk } from './examine-chunk.ts';
import { examineReopened } from './examine-reopened.ts';
import type { Removals } from './removals.ts';

/** What a producer remembers of a ledger: of all chunks, so not the names of all parts. */
export type ClosedChunk = Counts &
  Pick<Ledger, 'chunk' | 'generation' | 'repeated'> & {
    parts: number;
    /** The name of the file, where it is compacted. */
    results: string | undefined;
  };

export function closedBy(ledger: Ledger): ClosedChunk {
  const results = ledger.format === 4 ? ledger.results.name : undefined;
  return { ...ledger, parts: ledgerParts(ledger).length, results };
}

export interface CloseContext extends ChunkContext {
  claim: Claim;
  lock: Pick<RunLock, 'held'>;
  /** Whether what is closed is compacted in any case. */
  compacts: boolean;
  removals: Removals;
  world: World;
  log: Logger;
}

/**
 * Closes a chunk, if every image of it has a row: from then on, only what its ledger names counts.
 * Nobody may be at work on it any more whose results are wanted.
 *
 * @param before the ledger that it had, where failures of it were tried again
 * @returns the ledger, or what is still missing.
 */
export async function closeChunk(
  context: CloseContext,
  chunk: number,
  before?: Ledger,
): Promise<{ ledger: Ledger } | { missing: Map<number, ImageRef[]> }> {
  const { runStore, run, claim, compacts, world } = context;
  const isPartial = before && !compacts && before.format !== 4;
  const changed = isPartial ? await examineReopened(context, before, true) : undefined;
  const whole = changed ? undefined : await examineChunk(context, chunk, before);
  const { images, missing, content } = changed ?? whole!;
  if (missing.size > 0) return { missing };
  if (content.images !== images) {
    throw new Error(
      `chunk ${chunk} of run ${run.run}: ${content.images} rows for ${images} images`,
    );
  }
  if (whole && (compacts || before?.format === 4 || isCompacting(run, chunk, images))) {
    const ledger = await compactChunk(context, chunk, whole, before);
    if (ledger) return { ledger };
  }
  const ledger = await runStore.createLedger({
    format: 3,
    run: run.run,
    chunk,
    generation: claim.generation,
    ...content,
    closed: new Date(world.now()).toISOString(),
  });
  return { ledger };
}
