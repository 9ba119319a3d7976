import { describeError } from '@cutline/shared/errors';
import {
  createResults,
  formatResults,
  type Ledger,
  type Ledger4,
  type Run,
  resultsName,
  sha256,
} from '@cutline/shared/run';
import { superseded } from '../../board/run-lock.ts';
import type { CloseContext } from './close-chunk.ts';
import type { WholeChunkState } from './examine-chunk.ts';

/**
 * Compacts a chunk that is complete: its rows become one file, a ledger names it, and the parts go.
 *
 * In this order, whatever happens in between: the file under a name that only this generation has
 * (nobody reads it yet); the ledger (from now on it is what counts); a look at the claims; and only
 * if nobody has claimed the run until then, the parts. Whoever claims it later looks for ledgers
 * after that, and finds this one: so nobody who counts ever goes by parts that are gone. What a
 * process leaves that dies in between, `sweepRun` takes away.
 */

/** A chunk of fewer batches, which is all of its run, stays in its parts: there is nothing to gain. */
const batchesMin = 16;

/**
 * Whether a chunk is compacted when it is closed: all chunks of a run are, or none. Where the model
 * looked has some hundred KB a row: too much for a chunk of them in memory.
 */
export function isCompacting(run: Run, chunk: number, images: number): boolean {
  if (run.keepParts || run.options.attention) return false;
  const batches = Math.ceil(images / run.batchSize);
  return chunk > 0 || batches >= Math.min(batchesMin, run.chunkBatches);
}

/**
 * @param before the ledger that the chunk had
 * @returns undefined where its rows cannot be had from such a file: they stay in their parts
 */
export async function compactChunk(
  context: CloseContext,
  chunk: number,
  { content, rows, parts }: WholeChunkState,
  before: Ledger | undefined,
): Promise<Ledger4 | undefined> {
  const { runStore, run, claim, lock, world, log } = context;
  const { generation } = claim;
  const bytes = await formatResults(rows, {
    metadata: { run: run.run, chunk: String(chunk), generation: String(generation) },
    carried: run.selection.carry ?? [],
  }).catch((error: unknown) => {
    if (before?.format === 4) throw error; // of what it had, there are no parts
    log.error({ chunk, error: describeError(error) }, 'a chunk cannot be compacted');
    return undefined;
  });
  if (!bytes) return undefined;
  const name = resultsName(chunk, generation);
  await lock.held();
  if (!(await createResults(runStore, name, bytes))) throw superseded(run.run);
  await lock.held();
  const { parts: _, continues: __, ...counted } = content;
  const ledger: Ledger4 = {
    format: 4,
    run: run.run,
    chunk,
    generation,
    ...counted,
    results: { name, sha256: sha256(bytes), bytes: bytes.length },
    closed: new Date(world.now()).toISOString(),
  };
  await runStore.createLedger(ledger);
  const gone = parts.map(({ key }) => key);
  if (before?.format === 4) gone.push(runStore.prefix + before.results.name);
  context.removals.add(claim, gone);
  return ledger;
}
