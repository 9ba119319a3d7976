import type { Run, RunStore, Summary } from '@cutline/shared';
import { reconcileChunk } from './reconcile.ts';
import type { ManifestProgress } from './write-manifest.ts';

/**
 * Counts what became of every listed image.
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
  for (let chunk = 0; await manifest.has(chunk); chunk++) {
    for await (const batch of reconcileChunk(runStore, chunk, {
      batchSize: run.batchSize,
      parts,
    })) {
      missing += batch.missing.length;
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
    parts: [...parts.values()].flat().length,
    model: run.model,
    created: run.created,
    finished: now.toISOString(),
    imagesPerSecond: Math.round((totals.captioned / seconds) * 100) / 100,
  };
  return { missing, summary };
}
