import type { FailureClass } from '@cutline/shared/errors';
import { type PartRow, type RunState, type RunStore, settleRun } from '@cutline/shared/run';
import type { ExportedRow } from './columns.ts';

/** Which rows of a run are wanted; all of them where nothing is said. */
export interface RowSelection {
  status?: readonly PartRow['status'][] | undefined;
  /** Of failures. */
  classes?: readonly FailureClass[] | undefined;
  /** Of captions; those without a score are left out. */
  scoreMin?: number | undefined;
}

/** The rows of a run that count and that are wanted, in the order of its manifest, by batch. */
export async function* selectRows(
  run: RunStore,
  state: RunState,
  selection: RowSelection,
): AsyncGenerator<ExportedRow[]> {
  for await (const { images } of settleRun(run, state)) {
    yield images.flatMap(({ row, part }) =>
      row && part && isWanted(row, selection) ? [{ row, attempt: part.attempt }] : [],
    );
  }
}

function isWanted(row: PartRow, { status, classes, scoreMin }: RowSelection): boolean {
  if (status && !status.includes(row.status)) return false;
  if (classes && !(row.status === 'failed' && classes.includes(row.failure.class))) return false;
  if (scoreMin === undefined) return true;
  return row.status === 'captioned' && row.score !== null && row.score >= scoreMin;
}
