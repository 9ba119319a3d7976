import {
  type Claim,
  generationOf,
  parseResultsName,
  type Run,
  type RunStore,
} from '@cutline/shared/run';
import type { ClosedChunk } from './chunk/close-chunk.ts';
import type { Removals } from './chunk/removals.ts';

/** Of all that is to go, in memory at a time. */
const keysMax = 1_000;

/**
 * Takes away what is left of chunks that are compacted: parts, and files that no ledger names, of
 * processes that died, or slept, between writing one and deleting the other. Whoever reads all of
 * `results/` without asking ledgers is then right.
 */
export async function sweepRun(
  context: { runStore: RunStore; run: Run; claim: Claim; removals: Removals },
  ledgers: Iterable<ClosedChunk>,
): Promise<void> {
  const { claim, removals } = context;
  const compacted = new Map<number, ClosedChunk>();
  for (const each of ledgers) if (each.results !== undefined) compacted.set(each.chunk, each);
  if (compacted.size === 0) return;
  let keys: string[] = [];
  for await (const key of leftOvers(context, compacted)) {
    keys.push(key);
    if (keys.length < keysMax) continue;
    removals.add(claim, keys);
    await removals.end();
    keys = [];
  }
  removals.add(claim, keys);
  await removals.end();
}

/** Nothing that is newer than a chunk's ledger: that is somebody else's. */
async function* leftOvers(
  { runStore, run }: { runStore: RunStore; run: Run },
  compacted: ReadonlyMap<number, ClosedChunk>,
): AsyncGenerator<string> {
  const { store, prefix } = runStore;
  for await (const { key } of store.list(`${prefix}parts/`)) {
    const part = runStore.parsePartKey(key);
    const closed = part && compacted.get(Math.floor(part.batch / run.chunkBatches));
    if (closed && generationOf(part.attempt) <= closed.generation) yield key;
  }
  for await (const { key } of store.list(`${prefix}results/`)) {
    const name = key.slice(prefix.length);
    const file = parseResultsName(name);
    const closed = file && compacted.get(file.chunk);
    if (closed && file.generation <= closed.generation && name !== closed.results) yield key;
  }
}
