import type { PartRow } from '../part.ts';
import type { RunStore } from '../run-store.ts';
import { type ChunkRows, openChunkRows, type ReadableRun, type RowsOfBatch } from './chunk-rows.ts';
import { inTurn, readAhead } from './in-turn.ts';
import type { ResultsFilter } from './results-file.ts';

/**
 * The rows of a run that count, in the order of its manifest, a batch at a time; none of images that
 * have none yet.
 *
 * Whoever takes only the first costs little more than these: no more is read ahead than has been
 * taken, up to `readAhead` parts and one chunk, or as many chunks as that where they are compacted.
 *
 * @param filter of chunks that are compacted; of others, all rows are given
 */
export async function* placeRows(
  runStore: RunStore,
  state: ReadableRun,
  filter?: ResultsFilter,
): AsyncGenerator<RowsOfBatch> {
  const open = (chunk: number) => openChunkRows(runStore, state, chunk, filter);
  yield* inTurn(readsOfChunks(state.manifest.chunks, open), 1);
}

/** The rows alone. */
export async function* readResults(
  runStore: RunStore,
  state: ReadableRun,
): AsyncGenerator<PartRow[]> {
  for await (const { rows } of placeRows(runStore, state)) yield rows.map(({ row }) => row);
}

/** One read a batch, of chunk after chunk. */
async function* readsOfChunks(
  chunks: number,
  open: (chunk: number) => Promise<ChunkRows>,
): AsyncGenerator<ChunkRows['reads'][number]> {
  const opening: Promise<ChunkRows>[] = [];
  let next = 0;
  const openAhead = (ahead: number) => {
    while (next < chunks && opening.length < ahead) {
      const opened = open(next++);
      opened.catch(() => {}); // it is heard when its turn comes
      opening.push(opened);
    }
  };
  openAhead(1);
  for (let ahead = 1, first = opening.shift(); first; first = opening.shift()) {
    const { reads, isCompacted } = await first;
    for (const [position, read] of reads.entries()) {
      yield read;
      // Soon enough that nobody waits for it, and not for those who want the first rows.
      if (position === Math.floor(reads.length / 2)) openAhead(ahead);
    }
    ahead = isCompacted ? Math.min(2 * ahead, readAhead) : 1;
  }
}
