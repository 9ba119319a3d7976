import type { Run, RunStore, Summary } from '@cutline/shared/run';
import { type ReconciledBatch, reconcileChunk } from './reconcile.ts';
import type { ManifestProgress } from './write-manifest.ts';

/**
 * Counts what became of every listed image, and leaves each of them exactly one row. Nobody else
 * may be at work on the run: no job of it is left.
 * @returns the number of images that have no row yet, and the summary when there are none.
 */
export async function summarise(
  runStore: RunStore,
  run: Run,
  manifest: ManifestProgress,
  now: Date,
): Promise<{ missing: number; summary?: Summary }> {
  const parts = await runStore.listParts();
  const totals = { captioned: 0, skipped: 0, failed: 0 };
  const skippedByReason: Record<string, number> = {};
  const failedByClass: Record<string, number> = {};
  const add = (counts: Record<string, number>, name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  let missing = 0;
  let partCount = 0;
  for (let chunk = 0; await manifest.has(chunk); chunk++) {
    for await (const batch of reconcileChunk(runStore, chunk, {
      batchSize: run.batchSize,
      parts,
    })) {
      missing += batch.missing.length;
      partCount += await settleParts(runStore, batch);
      for (const row of batch.rows.values()) {
        totals[row.status] += 1;
        if (row.status === 'failed') add(failedByClass, row.failure.class);
        if (row.status === 'skipped') add(skippedByReason, row.reason);
      }
    }
  }
  if (missing > 0) return { missing };
  const seconds = Math.max(0.001, (now.getTime() - Date.parse(run.created)) / 1000);
  const summary: Summary = {
    run: run.run,
    images: manifest.images,
    ...totals,
    missing: 0,
    skippedByReason,
    failedByClass,
    parts: partCount,
    model: run.model,
    created: run.created,
    finished: now.toISOString(),
    imagesPerSecond: Math.round((totals.captioned / seconds) * 100) / 100,
  };
  return { missing, summary };
}

/**
 * Takes the rows out of a batch's parts that do not count. An image has two rows where two attempts
 * were under way at once: with Redis flushed, workers still finish what they have in hand, and
 * nobody can know of it who enqueues what is missing.
 *
 * @returns how many parts the batch has now.
 */
async function settleParts(runStore: RunStore, { parts }: ReconciledBatch): Promise<number> {
  for (const { name, rows, kept } of parts) {
    if (kept.length === rows.length) continue;
    if (kept.length > 0) await runStore.writePart(name, kept);
    else await runStore.store.delete(name.key);
  }
  return parts.filter(({ kept }) => kept.length > 0).length;
}
