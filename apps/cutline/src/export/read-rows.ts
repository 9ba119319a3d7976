import { createReadStream } from 'node:fs';
import { UserError } from '@cutline/shared/errors';
import {
  applyReview,
  type Reviews,
  type RunState,
  type RunStore,
  readRows,
  settleRun,
} from '@cutline/shared/run';
import type { ExportedRow } from './columns.ts';

/** The rows of a run that count, with what people decided, in the order of its manifest, by batch. */
export async function* rowsOfRun(
  run: RunStore,
  state: RunState,
  reviews: Reviews,
): AsyncGenerator<ExportedRow[]> {
  for await (const { images } of settleRun(run, state)) {
    yield images.flatMap(({ row, part }) =>
      row && part ? [{ row: applyReview(row, reviews), attempt: part.attempt }] : [],
    );
  }
}

/**
 * The rows of a file, as `cutline caption -o` writes it: each the first attempt.
 * @throws UserError where it cannot be read, or has a line that is no row
 */
export async function* rowsOfFile(path: string): AsyncGenerator<ExportedRow[]> {
  try {
    for await (const rows of readRows(createReadStream(path), path)) {
      yield rows.map((row) => ({ row, attempt: '0' }));
    }
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (syscall === undefined) throw cause;
    throw new UserError(`${path} cannot be read (${code}).`, { cause });
  }
}
