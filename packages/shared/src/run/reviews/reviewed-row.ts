import { z } from 'zod';
import { columnsSchema } from '../image-ref.ts';
import { captionedRowSchema, failedRowSchema, type PartRow } from '../part.ts';
import type { ReadableRun } from '../results/chunk-rows.ts';
import { readResults } from '../results/place-rows.ts';
import type { RunStore } from '../run-store.ts';
import { captionOf, judgementSchema, reviewerSchema } from './decision.ts';
import { readReviews } from './review-objects.ts';
import type { Reviews } from './reviews.ts';

/** A row as readers get it where somebody has judged its caption: what people say wins. */
export const reviewedRowSchema = z.strictObject({
  key: z.string(),
  etag: z.string().nullable(),
  /** As in `row`. */
  source: columnsSchema.optional(),
  status: z.literal('reviewed'),
  decision: z.enum(judgementSchema.options.map((option) => option.shape.decision.value)),
  /** The one that a person stands behind; null where the model's was rejected, and no other given. */
  caption: z.string().nullable(),
  who: reviewerSchema,
  /** When it was decided: ISO 8601, UTC. */
  at: z.iso.datetime(),
  /** The row as the run has it: the model's caption, score and candidates, or its failure. */
  row: z.discriminatedUnion('status', [captionedRowSchema, failedRowSchema]),
});

export type ReviewedRow = z.infer<typeof reviewedRowSchema>;

/** What all readers of results see: a row of a part, with its review where it has one. */
export type ResultRow = PartRow | ReviewedRow;

/** The one function through which reviews reach results; what was said before gives way. */
export function applyReview(row: ResultRow, reviews: Reviews): ResultRow {
  if (row.status === 'skipped') return row;
  if (row.status === 'reviewed') return reviews.of(row) ? applyReview(row.row, reviews) : row;
  const judgement = reviews.of(row);
  if (!judgement) return row;
  const { key, etag, source } = row;
  const { decision, who, at } = judgement;
  const own = { key, etag, ...(source && { source }) };
  return { ...own, status: 'reviewed', decision, caption: captionOf(judgement), who, at, row };
}

/** `readResults`, with what people have decided so far. */
export async function* readReviewedResults(
  runStore: RunStore,
  state: ReadableRun,
): AsyncGenerator<ResultRow[]> {
  const reviews = await readReviews(runStore);
  for await (const rows of readResults(runStore, state)) {
    yield rows.map((row) => applyReview(row, reviews));
  }
}
