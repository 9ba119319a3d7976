import { generationOf } from '../claim.ts';
import { type PartRow, parsePart } from '../part.ts';
import { getIfThere } from '../read-if-there.ts';
import { runSchema } from '../run.ts';
import type { RunStore } from '../run-store.ts';
import { isGone } from './chunk-rows.ts';
import { readResultsFile } from './results-file.ts';

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
  return part ? parsePart(part.bytes, key) : findCompacted(runStore, batch, attempt);
}

async function findCompacted(
  runStore: RunStore,
  batch: number,
  attempt: string,
): Promise<PartRow[] | undefined> {
  const run = await runStore.readObject('run.json', runSchema);
  if (!run) return undefined; // it is gone, with all that it had
  const { batchSize, chunkBatches } = run;
  const chunk = Math.floor(batch / chunkBatches);
  const generation = await runStore.findLedger(chunk);
  if (generation === undefined || generation < generationOf(attempt)) return undefined;
  const ledger = await runStore.readLedger(chunk, generation);
  if (ledger.format !== 4) return undefined;
  try {
    const rows = await readResultsFile(runStore, ledger.results.name);
    const start = (batch % chunkBatches) * batchSize;
    const own = rows.slice(start, start + batchSize).filter((each) => each.attempt === attempt);
    return own.map(({ row }) => row);
  } catch (error) {
    if (!isGone(error)) throw error;
    return []; // a later generation has closed the chunk in this moment: nothing of it is wanted
  }
}
