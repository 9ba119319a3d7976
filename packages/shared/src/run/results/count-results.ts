import { addCounts, type Counts, countRows } from '../counts.ts';
import type { RunState } from '../run-state.ts';
import type { RunStore } from '../run-store.ts';
import { openChunkRows } from './chunk-rows.ts';
import { inTurn, readAhead } from './in-turn.ts';

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

/** What became of the images so far, without reading rows of chunks that have a ledger. */
export async function countResults(runStore: RunStore, state: RunState): Promise<Counts[]> {
  const ledgers = await runStore.listLedgers();
  const counts: Counts[] = [];
  for (let chunk = 0; chunk < state.manifest.chunks; chunk++) {
    const generation = ledgers.get(chunk);
    if (generation !== undefined) {
      counts.push(await runStore.readLedger(chunk, generation));
      continue;
    }
    const { reads } = await openChunkRows(runStore, state, chunk);
    for await (const { rows } of inTurn(reads, readAhead)) {
      counts.push(countRows(rows.map(({ row }) => row)));
    }
  }
  return counts;
}
