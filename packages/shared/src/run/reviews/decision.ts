import { z } from 'zod';

/**
 * What people decide about captions: a line each in `reviews/` of a run, added and never changed.
 * Whoever decides otherwise later, or takes a decision back, adds another one.
 */

/** A name that people know each other by, which also fits into the name of an object. */
export const reviewerSchema = z
  .string()
  .regex(
    /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N} ._@+-]{0,62}[\p{L}\p{M}\p{N}])?$/u,
    'a reviewer\'s name has 1 to 64 letters, digits, spaces or any of "._@+-", and starts and ends ' +
      'with a letter or a digit',
  );

/** Longer than any caption that is read. */
const captionLengthMax = 10_000;

export const captionSchema = z
  .string()
  .max(captionLengthMax)
  .regex(/\S/, 'a caption says something');

const fields = {
  /** UUID; a line that occurs twice is one decision. */
  id: z.uuid(),
  /** Of the image, as its row names it. */
  key: z.string(),
  etag: z.string().nullable(),
  who: reviewerSchema,
  /** ISO 8601, UTC; later than that of any decision about the image that its maker knew of. */
  at: z.iso.datetime(),
};

export const judgementSchema = z.discriminatedUnion('decision', [
  /** The model's caption is right as it was shown. */
  z.strictObject({ ...fields, decision: z.literal('accepted'), shown: z.string() }),
  /** This caption is right; the model's was another, or it had none (null). */
  z.strictObject({
    ...fields,
    decision: z.literal('corrected'),
    shown: z.string().nullable(),
    caption: captionSchema,
  }),
  /** The model's caption is wrong, and there is no other. */
  z.strictObject({ ...fields, decision: z.literal('rejected'), shown: z.string() }),
]);

export const decisionSchema = z.discriminatedUnion('decision', [
  ...judgementSchema.options,
  /** Takes back a decision of the same person's. */
  z.strictObject({ ...fields, decision: z.literal('undone'), undoes: z.uuid() }),
]);

/** What somebody says of a caption. */
export type Judgement = z.infer<typeof judgementSchema>;

/** A judgement, or the end of one. */
export type Decision = z.infer<typeof decisionSchema>;

/** The caption that a person stands behind; null where there is none. */
export function captionOf(judgement: Judgement): string | null {
  if (judgement.decision === 'rejected') return null;
  return judgement.decision === 'accepted' ? judgement.shown : judgement.caption;
}

/** Of an image: two have the same where it is the same. */
export function reviewedImage({ key, etag }: { key: string; etag: string | null }): string {
  return JSON.stringify([key, etag]);
}
