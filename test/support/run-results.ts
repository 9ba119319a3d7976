import {
  attemptName,
  type ImageRef,
  type PartRow,
  placeRows,
  RunStore,
  readChunk,
  readRunState,
  type Summary,
  verifyRun,
} from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import { expect } from 'vitest';

/** What a run has left in the output store. */
export interface RunResults {
  manifest: ImageRef[];
  /** That count, in the order of the manifest. */
  rows: PartRow[];
  /**
   * Of the parts that there are, and of those that are compacted and had a row that counts, what
   * they are called: `000000.jsonl`, `000000.0r.jsonl`, …
   */
  parts: string[];
  summary: Summary | undefined;
  /** What `cutline verify` says of it, if it is finished. */
  problems: string[];
}

export async function readResults(store: ObjectStore, run: string): Promise<RunResults> {
  const runStore = new RunStore(store, '', run);
  const state = await readRunState(runStore);
  const manifest: ImageRef[] = [];
  for (let chunk = 0; chunk < state.manifest.chunks; chunk++) {
    manifest.push(...(await readChunk(runStore, state.claims, chunk)).images);
  }
  const rows: PartRow[] = [];
  const parts = new Set(
    (await runStore.listParts()).map(({ key }) => key.slice(`${runStore.prefix}parts/`.length)),
  );
  for await (const { batch, rows: some } of placeRows(runStore, state)) {
    for (const { row, attempt } of some) {
      rows.push(row);
      parts.add(`${attemptName(batch, attempt)}.jsonl`);
    }
  }
  const { problems } = state.summary ? await verifyRun(runStore) : { problems: [] };
  return { manifest, rows, parts: [...parts].toSorted(), summary: state.summary, problems };
}

/**
 * Holds a finished run to the invariant of the project: every listed image has exactly one row,
 * and the summary says the same as the rows.
 */
export function expectToReconcile({ manifest, rows, summary, problems }: RunResults): void {
  expect(problems).toEqual([]);
  const keys = (images: readonly { key: string }[]) => images.map(({ key }) => key).toSorted();
  expect(keys(rows)).toEqual(keys(manifest));
  const count = (status: PartRow['status']) => rows.filter((row) => row.status === status).length;
  expect(summary).toMatchObject({
    images: manifest.length,
    captioned: count('captioned'),
    skipped: count('skipped'),
    failed: count('failed'),
  });
  const { captioned = 0, skipped = 0, failed = 0, images } = summary ?? {};
  expect(captioned + skipped + failed).toBe(images);
  const total = (counts: Record<string, number>) =>
    Object.values(counts).reduce((sum, n) => sum + n, 0);
  expect(total(summary?.failedByClass ?? {})).toBe(failed);
  expect(total(summary?.skippedByReason ?? {})).toBe(skipped);
}
