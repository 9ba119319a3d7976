import type { FailureClass } from '@cutline/shared/errors';
import {
  applyReview,
  type PartRow,
  type ResultRow,
  type Reviews,
  type RunState,
  type RunStore,
  settleRun,
} from '@cutline/shared/run';
import type { ExportedRow } from './columns.ts';

/** Which rows of a run are wanted; all of them where nothing is said. */
export interface RowSelection {
  /** Captioned is what has a caption, a person's included. */
  status?: readonly PartRow['status'][] | undefined;
  /** Of failures. */
  classes?: readonly FailureClass[] | undefined;
  /** Of captions; those without a score are left out. Who judged one needs none. */
  scoreMin?: number | undefined;
  /** Only what people have judged. */
  reviewed?: boolean | undefined;
}

/** The rows of a run that count and that are wanted, in the order of its manifest, by batch. */
export async function* selectRows(
  { run, state, reviews }: { run: RunStore; state: RunState; reviews: Reviews },
  selection: RowSelection,
): AsyncGenerator<ExportedRow[]> {
  for await (const { images } of settleRun(run, state)) {
    yield images.flatMap(({ row: found, part }) => {
      if (!found || !part) return [];
      const row = applyReview(found, reviews);
      return isWanted(row, selection) ? [{ row, attempt: part.attempt }] : [];
    });
  }
}

function isWanted(row: ResultRow, { status, classes, scoreMin, reviewed }: RowSelection): boolean {
  if (reviewed && row.status !== 'reviewed') return false;
  if (status && !status.some((each) => each === statusOf(row))) return false;
  if (classes && !(row.status === 'failed' && classes.includes(row.failure.class))) return false;
  if (scoreMin === undefined) return true;
  if (row.status === 'reviewed') return row.caption !== null;
  return row.status === 'captioned' && row.score !== null && row.score >= scoreMin;
}

/** undefined where a person rejected the caption, and gave no other. */
function statusOf(row: ResultRow): PartRow['status'] | undefined {
  if (row.status !== 'reviewed') return row.status;
  return row.caption === null ? undefined : 'captioned';
}
