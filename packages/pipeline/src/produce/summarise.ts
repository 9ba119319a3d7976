import { addCounts, findRepeated, ledgerStretches, type Summary } from '@cutline/shared/run';
import { superseded } from '../board/run-lock.ts';
import type { ClosedChunk } from './chunk/close-chunk.ts';
import type { ClaimedRun } from './claim-run.ts';
import type { ProduceContext } from './produce.ts';

/**
 * Writes the summary of a run all of whose chunks are closed.
 * @throws Error where the ledgers do not add up to the manifest; nothing is written then.
 */
export async function writeSummary(
  { runStore, manifest, world, compacts }: ProduceContext,
  { state, claim, lock }: ClaimedRun,
  ledgers: ReadonlyMap<number, ClosedChunk>,
): Promise<Summary> {
  const { run } = state;
  const totals = addCounts(ledgers.values());
  const repeated = findRepeated(ledgers.values());
  const inOrder = [...ledgers].toSorted(([a], [b]) => a - b);
  if (totals.images !== manifest.images || ledgers.size !== manifest.chunks) {
    throw new Error(
      `run ${run.run}: ${ledgers.size} ledgers count ${totals.images} images, the manifest has ` +
        `${manifest.images} in ${manifest.chunks} chunks`,
    );
  }
  for (;;) {
    await lock.held();
    const last = await runStore.readSummary();
    if (last && last.value.generation >= claim.generation) throw superseded(run.run);
    const now = new Date(world.now());
    const seconds = Math.max(0.001, (now.getTime() - Date.parse(run.created)) / 1000);
    const summary: Summary = {
      format: 3,
      run: run.run,
      generation: claim.generation,
      ...totals,
      ...(repeated.length > 0 && { repeated }),
      chunks: manifest.chunks,
      parts: [...ledgers.values()].reduce((sum, { parts }) => sum + parts, 0),
      model: run.model,
      created: run.created,
      // When it finished first, and how fast it was then, stays true whatever is tried again.
      finished: last?.value.finished ?? now.toISOString(),
      imagesPerSecond:
        last?.value.imagesPerSecond ?? Math.round((totals.captioned / seconds) * 100) / 100,
      retried: last ? (compacts ? last.value.retried : now.toISOString()) : null,
      batchSize: run.batchSize,
      chunkBatches: run.chunkBatches,
      ledgers: ledgerStretches(inOrder.map(([, { generation }]) => generation)),
    };
    // Another than was read: a process that had slept wrote its own in this moment.
    if (await runStore.writeSummary(summary, last?.etag)) return summary;
  }
}
