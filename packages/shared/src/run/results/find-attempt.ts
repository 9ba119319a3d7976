import { generationOf } from '../claim.ts';
import { type PartRow, parsePart } from '../part.ts';
import { getIfThere } from '../read-if-there.ts';
import { runSchema } from '../run.ts';
import type { PartName, RunStore } from '../run-store.ts';
import { isGone } from './chunk-rows.ts';
import { readResultsFile } from './results-file.ts';
import type { AttemptedRow } from './row-columns.ts';

/**
 * The rows of an attempt, if it has written them: in its part; or, where its chunk was compacted
 * since, those of it that count.
 *
 * @returns undefined where it has not
 */
export async function findAttempt(
  runStore: RunStore,
  batch: number,
  attempt: string,
): Promise<PartRow[] | undefined> {
  const key = runStore.partKey(batch, attempt);
  const isThere = (await runStore.store.head(key)) !== undefined;
  const part = isThere ? await getIfThere(runStore.store, key) : undefined;
  if (part) return parsePart(part.bytes, key);
  const compacted = await findCompacted(runStore, batch);
  if (!compacted || compacted.generation < generationOf(attempt)) return undefined;
  return compacted.rows.filter((each) => each.attempt === attempt).map(({ row }) => row);
}

/** The rows of a batch in the parts that there are, of whatever attempts. */
export async function findInParts(runStore: RunStore, batch: number): Promise<PartRow[]> {
  const parts = await runStore.listParts(batch, batch + 1);
  const read = async ({ key }: PartName) => {
    const part = await getIfThere(runStore.store, key);
    return part ? parsePart(part.bytes, key) : []; // its chunk was compacted in this moment
  };
  return (await Promise.all(parts.map(read))).flat();
}

/** The rows of a batch that count, where its chunk is compacted; else none. */
export async function findInFile(runStore: RunStore, batch: number): Promise<PartRow[]> {
  return ((await findCompacted(runStore, batch))?.rows ?? []).map(({ row }) => row);
}

async function findCompacted(
  runStore: RunStore,
  batch: number,
): Promise<{ generation: number; rows: AttemptedRow[] } | undefined> {
  const run = await runStore.readObject('run.json', runSchema);
  if (!run) return undefined; // it is gone, with all that it had
  const { batchSize, chunkBatches } = run;
  const chunk = Math.floor(batch / chunkBatches);
  const generation = await runStore.findLedger(chunk);
  if (generation === undefined) return undefined;
  const ledger = await runStore.readLedger(chunk, generation);
  if (ledger.format !== 4) return undefined;
  try {
    const rows = await readResultsFile(runStore, ledger.results);
    const start = (batch % chunkBatches) * batchSize;
    return { generation, rows: rows.slice(start, start + batchSize) };
  } catch (error) {
    if (!isGone(error)) throw error;
    // A later generation has closed the chunk in this moment: nothing of this one is wanted.
    return { generation, rows: [] };
  }
}
