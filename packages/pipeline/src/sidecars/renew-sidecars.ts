import {
  applyReview,
  type ResultRow,
  type Reviews,
  type RunState,
  type RunStore,
  readSidecarRecords,
  reviewedImage,
  type SidecarKind,
  type SidecarRules,
  settleRun,
} from '@cutline/shared/run';
import type { SidecarRow } from './sidecar-row.ts';
import { takeAway } from './withdraw-sidecars.ts';
import { bringAbout, type Sidecar, wantsSidecars } from './write-sidecars.ts';

export interface Renewal {
  /** Images whose sidecars say now what people decided. */
  images: number;
  /** Files of others that stay as they are. */
  kept: number;
  /** Files that are gone, since their caption was rejected. */
  removed: number;
  /** Files that the store cannot hold. */
  refused: number;
}

/**
 * Brings the files beside images into line with what people decided: of every image that somebody
 * ever judged, what counts now is written; where the caption was rejected, what the run wrote is
 * taken away. The rules about other people's files are those of `writeSidecars`. It may be repeated.
 */
export async function renewSidecars(
  { run, state, reviews }: { run: RunStore; state: RunState; reviews: Reviews },
  { prefix, kinds, rules }: { prefix: string; kinds: readonly SidecarKind[]; rules: SidecarRules },
): Promise<Renewal> {
  const judged = new Set(Array.from(reviews.decisions(), reviewedImage));
  const renewal: Renewal = { images: 0, kept: 0, removed: 0, refused: 0 };
  for await (const { batch, images } of settleRun(run, state)) {
    const rows = images.flatMap(({ row }) =>
      row && row.status !== 'skipped' && judged.has(reviewedImage(row))
        ? [applyReview(row, reviews)]
        : [],
    );
    if (rows.length === 0) continue;
    const wanted = rows.filter((row): row is SidecarRow => isWanted(row, rules));
    const sidecars = wanted.flatMap((row) => sidecarsOf(row, prefix, kinds));
    const { outcomes } = await bringAbout({ run, batch, rules }, sidecars);
    for (const outcome of outcomes.values()) {
      if (outcome === 'kept') renewal.kept += 1;
      else if (typeof outcome === 'object') renewal.refused += 1;
    }
    const unwanted = rows.filter((row) => !isWanted(row, rules));
    renewal.removed += await removeAll(run, batch, unwanted, { prefix, kinds });
    renewal.images += rows.length;
  }
  return renewal;
}

/** Of what a person stands behind, the score does not matter. */
function isWanted(row: ResultRow, rules: SidecarRules): boolean {
  return row.status === 'reviewed' ? row.caption !== null : wantsSidecars(row, rules);
}

function sidecarsOf(row: SidecarRow, prefix: string, kinds: readonly SidecarKind[]): Sidecar[] {
  return kinds.map((kind) => ({ key: `${prefix}${row.key}.${kind}`, kind, row }));
}

/** @returns how many files are gone, or are without what was added to them. */
async function removeAll(
  run: RunStore,
  batch: number,
  rows: readonly ResultRow[],
  { prefix, kinds }: { prefix: string; kinds: readonly SidecarKind[] },
): Promise<number> {
  if (rows.length === 0) return 0;
  const records = await readSidecarRecords(run, batch);
  let removed = 0;
  for (const row of rows) {
    for (const kind of kinds) {
      const key = `${prefix}${row.key}.${kind}`;
      const ofKey = records.filter((record) => record.key === key);
      if (ofKey.length === 0) continue;
      const outcome = await takeAway(run.store, key, ofKey);
      if (outcome === 'removed' || outcome === 'restored') removed += 1;
    }
  }
  return removed;
}
