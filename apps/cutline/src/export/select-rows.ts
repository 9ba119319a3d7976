import type { FailureClass } from '@cutline/shared/errors';
import type { PartRow, ResultRow } from '@cutline/shared/run';
import type { ExportedRow, RowBatches } from './columns.ts';

/** Which rows are wanted; all of them where nothing is said. */
export interface RowSelection {
  /** Captioned is what has a caption, a person's included. */
  status?: readonly PartRow['status'][] | undefined;
  /** Of failures. */
  classes?: readonly FailureClass[] | undefined;
  /** Of captions; those without a score are left out. Who judged one needs none. */
  scoreMin?: number | undefined;
  /** Only what people have judged. */
  reviewed?: boolean | undefined;
  /** Of which a condition on columns holds. */
  where?: { wants: (row: ExportedRow) => boolean } | undefined;
}

export async function* selectRows(
  rows: RowBatches,
  selection: RowSelection,
): AsyncGenerator<ExportedRow[]> {
  const { where } = selection;
  for await (const batch of rows) {
    const some = where ? batch.filter((each) => where.wants(each)) : batch;
    yield some.filter(({ row }) => isWanted(row, selection));
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
