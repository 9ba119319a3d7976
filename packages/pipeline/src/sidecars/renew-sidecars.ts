import {
  applyReview,
  placeRows,
  type ResultRow,
  type Reviews,
  type RunState,
  type RunStore,
  reviewedImage,
  type SidecarKind,
  type SidecarRules,
} from '@cutline/shared/run';
import { batchBook } from './sidecar-book.ts';
import type { SidecarRow } from './sidecar-row.ts';
import { takeAway } from './withdraw-sidecars.ts';
import {
  bringAbout,
  type Outcome,
  type SidecarPlace,
  sidecarsOf,
  wantsSidecars,
} from './write-sidecars.ts';

export interface Renewal {
  /** Images whose sidecars say now what people decided. */
  images: number;
  /** Files that were written just now. */
  written: number;
  /** Files of others that stay as they are. */
  kept: number;
  /** Files of others that something was added to. */
  merged: number;
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
  const renewal = noRenewal();
  for await (const { batch, rows: all } of placeRows(run, state)) {
    const rows = all.flatMap(({ row }) =>
      judged.has(reviewedImage(row)) ? [applyReview(row, reviews)] : [],
    );
    const place = { store: run.store, run: run.run, book: batchBook(run, batch), rules };
    await renewRows(place, rows, { prefix, kinds }, renewal);
  }
  return renewal;
}

export function noRenewal(): Renewal {
  return { images: 0, written: 0, kept: 0, merged: 0, removed: 0, refused: 0 };
}

/**
 * The same of some rows, judged or not: what the run wrote of one that is not wanted goes.
 * @param renewal what becomes of them is added to it
 */
export async function renewRows(
  place: SidecarPlace,
  rows: readonly ResultRow[],
  { prefix, kinds }: { prefix: string; kinds: readonly SidecarKind[] },
  renewal: Renewal,
): Promise<void> {
  const { rules } = place;
  const able = rows.filter(({ status }) => status !== 'skipped');
  if (able.length === 0) return;
  const wanted = able.filter((row): row is SidecarRow => isWanted(row, rules));
  const sidecars = wanted.flatMap((row) => sidecarsOf(row, prefix, kinds));
  const { outcomes } = await bringAbout(place, sidecars);
  countOutcomes(outcomes.values(), renewal);
  const unwanted = able.filter((row) => !isWanted(row, rules));
  renewal.removed += await removeAll(place, unwanted, { prefix, kinds });
  renewal.images += able.length;
}

/** Adds what became of files. */
export function countOutcomes(outcomes: Iterable<Outcome>, renewal: Renewal): void {
  for (const outcome of outcomes) {
    if (typeof outcome === 'string') renewal[outcome] += 1;
    else if (outcome) renewal.refused += 1;
  }
}

/** Whether files are to say it. Of what a person stands behind, the score does not matter. */
export function isWanted(row: ResultRow, rules: SidecarRules): boolean {
  return row.status === 'reviewed' ? row.caption !== null : wantsSidecars(row, rules);
}

/** @returns how many files are gone, or are without what was added to them. */
async function removeAll(
  { store, book }: SidecarPlace,
  rows: readonly ResultRow[],
  { prefix, kinds }: { prefix: string; kinds: readonly SidecarKind[] },
): Promise<number> {
  if (rows.length === 0) return 0;
  const keys = rows.flatMap((row) => kinds.map((kind) => `${prefix}${row.key}.${kind}`));
  const records = await book.read(keys);
  let removed = 0;
  for (const key of keys) {
    const ofKey = records.filter((record) => record.key === key);
    if (ofKey.length === 0) continue;
    const outcome = await takeAway(store, key, ofKey);
    if (outcome === 'removed' || outcome === 'restored') removed += 1;
  }
  return removed;
}
