import {
  countChunks,
  type ImageRef,
  type PartRow,
  RunStore,
  readChunk,
  type Summary,
} from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import { expect } from 'vitest';

/** What a run has left in the output store. */
export interface RunResults {
  manifest: ImageRef[];
  /** Of all parts, in their order. */
  rows: PartRow[];
  /** Their keys without the folder: `000000.jsonl`, `000000.0r.jsonl`, … */
  parts: string[];
  summary: Summary | undefined;
}

export async function readResults(store: ObjectStore, run: string): Promise<RunResults> {
  const runStore = new RunStore(store, '', run);
  const manifest: ImageRef[] = [];
  const chunks = await countChunks(runStore);
  for (let chunk = 0; chunk < chunks; chunk++) manifest.push(...(await readChunk(runStore, chunk)));
  const rows: PartRow[] = [];
  const parts: string[] = [];
  for (const part of [...(await runStore.listParts()).values()].flat()) {
    parts.push(part.key.slice(`${runStore.prefix}parts/`.length));
    rows.push(...(await runStore.readPart(part)));
  }
  return { manifest, rows, parts, summary: await runStore.readSummary() };
}

/**
 * Holds a finished run to the invariant of the project: every listed image has exactly one row,
 * and the summary says the same as the rows.
 */
export function expectToReconcile({ manifest, rows, parts, summary }: RunResults): void {
  const keys = (images: readonly { key: string }[]) => images.map(({ key }) => key).toSorted();
  expect(keys(rows)).toEqual(keys(manifest));
  const count = (status: PartRow['status']) => rows.filter((row) => row.status === status).length;
  expect(summary).toMatchObject({
    images: manifest.length,
    captioned: count('captioned'),
    skipped: count('skipped'),
    failed: count('failed'),
    missing: 0,
    parts: parts.length,
  });
  const { captioned = 0, skipped = 0, failed = 0, images } = summary ?? {};
  expect(captioned + skipped + failed).toBe(images);
  const total = (counts: Record<string, number>) =>
    Object.values(counts).reduce((sum, n) => sum + n, 0);
  expect(total(summary?.failedByClass ?? {})).toBe(failed);
  expect(total(summary?.skippedByReason ?? {})).toBe(skipped);
}
