import { applyReview, type ResultRow, type Reviews } from '@cutline/shared/run';
import type { Results } from './results.ts';

/** The rows with what people decided about them, and the attempts that made them. */
export async function* reviewedRows(
  results: Pick<Results, 'batches'>,
  reviews: Reviews,
): AsyncGenerator<{ row: ResultRow; attempt: string }[]> {
  for await (const batch of results.batches()) {
    yield batch.map(({ row, attempt }) => ({ row: applyReview(row, reviews), attempt }));
  }
}
