import { failureClasses, skipReasons } from '@cutline/shared/errors';
import {
  attemptSchema,
  captionOptionsSchema,
  columnsSchema,
  type ImageRef,
  imageRefSchema,
  runIdSchema,
  sidecarKinds,
  sidecarRulesSchema,
} from '@cutline/shared/run';
import { z } from 'zod';

/**
 * What travels through the two queues: references to images and features, never bytes.
 *
 * A batch is tried under an *attempt*, a label that is unique within the batch and says where the
 * attempt comes from: a generation (0 for the first pass, one more each time the producer finds
 * images of the batch unaccounted for) and one letter for every division since:
 *
 *   r  remainder: the images whose store was unavailable, tried again later
 *   a  b  halves: what workers died on, or failed on, divided to find the image that does it
 *   e  encode again: the features were missing or damaged
 *
 * Labels are derived, not drawn, so that a step that runs twice makes the same jobs and the same
 * parts. `0ra` is the first half of the remainder of the first pass.
 */

export type Division = 'r' | 'a' | 'b' | 'e';

/** How often an attempt may be divided further; beyond it, images get failure rows. */
export const divisionsMax = 24;

/** Workers that may die holding a batch before it is halved to find the image that does it. */
export const lostWorkersMax = 2;

/** How many times an image's store may be unavailable before the image counts as failed. */
export const remaindersMax = 5;

const batchFields = {
  run: runIdSchema,
  batch: z.int().nonnegative(),
  attempt: attemptSchema,
  /** Store that holds the images: `s3://bucket` or `file:///folder`. */
  source: z.string(),
  /** Location of the results: store URL and key prefix. */
  output: z.strictObject({ store: z.string(), prefix: z.string() }),
  /** Model id: `<name>@<hash>`; a worker with another model refuses the job. */
  model: z.string(),
  options: captionOptionsSchema,
  /** Sidecar files to write beside each captioned image, in the output store. */
  sidecars: z.array(z.enum(sidecarKinds)),
  sidecarRules: sidecarRulesSchema.optional(),
};

export const encodeJobSchema = z.strictObject({
  ...batchFields,
  images: z.array(imageRefSchema).min(1),
});

/** An image after the encode stage: encoded (its features are the next ones in the blob) or not. */
export const encodedImageSchema = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('encoded'),
    key: z.string(),
    etag: z.string().nullable(),
    width: z.int().positive(),
    height: z.int().positive(),
    columns: columnsSchema.optional(),
  }),
  z.strictObject({
    status: z.literal('failed'),
    key: z.string(),
    etag: z.string().nullable(),
    failure: z.strictObject({ class: z.enum(failureClasses), message: z.string() }),
    columns: columnsSchema.optional(),
  }),
  z.strictObject({
    status: z.literal('skipped'),
    key: z.string(),
    etag: z.string().nullable(),
    reason: z.enum(skipReasons),
  }),
]);

export const decodeJobSchema = z.strictObject({
  ...batchFields,
  images: z.array(encodedImageSchema),
  /**
   * The name of their features, which no other try at this attempt has; null where no image is
   * encoded. Two encoders may work on one attempt, one of which was thought dead, and find
   * different images readable: a decoder must never meet the features of the other.
   */
  features: z.string().nullable(),
  /**
   * Images whose store was unavailable. Their remainder is enqueued by the decoder, from this one
   * list: whatever is repeated, an image is then in the part or in the remainder, never in both.
   */
  deferred: z.array(imageRefSchema),
});

export type EncodeJob = z.infer<typeof encodeJobSchema>;
export type EncodedImage = z.infer<typeof encodedImageSchema>;
export type DecodeJob = z.infer<typeof decodeJobSchema>;

/** The job's images as the encode stage takes them, in order: to encode them (again). */
export function imageRefs(job: EncodeJob | DecodeJob): ImageRef[] {
  const refs = job.images.map((image): ImageRef => {
    if (!('status' in image)) return image;
    const { key, etag } = image;
    const ref = { key, etag, bytes: null };
    if (image.status === 'skipped') return { ...ref, skipped: image.reason };
    return image.columns ? { ...ref, columns: image.columns } : ref;
  });
  return 'deferred' in job ? [...refs, ...job.deferred] : refs;
}

/** The same batch under another attempt, with these of its images. */
export function divide(
  job: EncodeJob | DecodeJob,
  division: Division,
  images: ImageRef[],
): EncodeJob {
  const { run, batch, attempt, source, output, model, options, sidecars, sidecarRules } = job;
  const label = attempt + division;
  const sidecarFields = { sidecars, ...(sidecarRules && { sidecarRules }) };
  return { run, batch, attempt: label, source, output, model, options, ...sidecarFields, images };
}

/** Two halves, to find the image that workers die on. */
export function halve(job: EncodeJob | DecodeJob): [EncodeJob, EncodeJob] {
  const images = imageRefs(job);
  const middle = Math.ceil(images.length / 2);
  return [divide(job, 'a', images.slice(0, middle)), divide(job, 'b', images.slice(middle))];
}

/** How often `division` occurs in the attempt's history. */
export function countDivisions(attempt: string, division?: Division): number {
  const letters = attempt.replace(/^\d+/, '');
  return division ? letters.split(division).length - 1 : letters.length;
}
