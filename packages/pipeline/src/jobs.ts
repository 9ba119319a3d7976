import { traceContextPattern } from '@cutline/shared/process';
import {
  attemptSchema,
  captionOptionsSchema,
  type EncodedImage,
  encodedImageSchema,
  featureTypes,
  type ImageRef,
  imageName,
  imageRefSchema,
  type PartRow,
  prioritySchema,
  rowName,
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

/** How many times an image's store may be unavailable before the image counts as failed. */
export const remaindersMax = 5;

const batchFields = {
  run: runIdSchema,
  batch: z.int().nonnegative(),
  attempt: attemptSchema,
  /** Location of the results: store URL and key prefix. */
  output: z.strictObject({ store: z.string(), prefix: z.string() }),
  /** Model id: `<name>@<hash>`; a worker with another model refuses the job. */
  model: z.string(),
  options: captionOptionsSchema,
  featureType: z.enum(featureTypes),
  /** Sidecar files to write beside each captioned image, in the output store. */
  sidecars: z.array(z.enum(sidecarKinds)),
  sidecarRules: sidecarRulesSchema.optional(),
  /** Of the run; absent: normal. */
  priority: prioritySchema.optional(),
  /**
   * Where traces are on, the span that enqueued the job: whoever takes it goes on with its trace; or,
   * of what a batch was divided into, begins another with a link to it.
   */
  trace: z
    .strictObject({
      context: z.string().regex(traceContextPattern),
      is: z.enum(['parent', 'link']),
    })
    .optional(),
  /** Where features are kept, and what of the model encodes; null where they are not. */
  keep: z.strictObject({ store: z.string(), prefix: z.string(), encoder: z.string() }).nullable(),
};

/** Features in flight: their home, and a name that no other try at the attempt has. */
const inFlightSchema = z.strictObject({ home: z.string(), name: z.string() });

/** Features that were kept, of one attempt or of several. */
const keptSchema = z.strictObject({
  store: z.string(),
  /** Id of the model that encoded them. */
  model: z.string(),
  /** In the order of the images that are encoded: which rows of which files. */
  pieces: z.array(
    z.strictObject({ key: z.string(), sha256: z.string(), rows: z.array(z.int().nonnegative()) }),
  ),
});

export const encodeJobSchema = z.strictObject({
  ...batchFields,
  /** Store that holds the images: `s3://bucket` or `file:///folder`. */
  source: z.string(),
  images: z.array(imageRefSchema).min(1),
});

export const decodeJobSchema = z.strictObject({
  ...batchFields,
  /** The same, to encode again; null where a run decodes what another kept: nothing is encoded. */
  source: z.string().nullable(),
  images: z.array(encodedImageSchema),
  /**
   * Their features; null where no image is encoded. Two encoders may work on one attempt, one of
   * which was thought dead, and find different images readable: a decoder must never meet the
   * features of the other.
   */
  features: z.union([inFlightSchema, keptSchema]).nullable(),
  /**
   * Images whose store was unavailable. Their remainder is enqueued by the decoder, from this one
   * list: whatever is repeated, an image is then in the part or in the remainder, never in both.
   */
  deferred: z.array(imageRefSchema),
  /** Images that are to have the caption of another of the same content, and were not encoded. */
  same: z.array(imageRefSchema).optional(),
});

export type EncodeJob = z.infer<typeof encodeJobSchema>;
export type DecodeJob = z.infer<typeof decodeJobSchema>;
export type FeaturesInFlight = z.infer<typeof inFlightSchema>;
export type KeptFeaturesRef = z.infer<typeof keptSchema>;

/** The job's images as the encode stage takes them, in order: to encode them (again). */
export function imageRefs(job: EncodeJob | DecodeJob): ImageRef[] {
  const refs = job.images.map((image): ImageRef => {
    if (!('status' in image)) return image;
    const { key, etag, source } = image;
    const ref = { key, etag, bytes: null, ...(source && { source }) };
    if (image.status === 'skipped') return { ...ref, skipped: image.reason };
    return image.columns ? { ...ref, columns: image.columns } : ref;
  });
  return 'deferred' in job ? [...refs, ...job.deferred, ...(job.same ?? [])] : refs;
}

/** How many times the caption of another is looked for, before an image is captioned itself. */
const looksMax = 3;

/** Whether an image is to have the caption of another, as far as this attempt knows. */
export function waitsForOther({ sameAs, skipped }: ImageRef, { attempt }: { attempt: string }) {
  return sameAs !== undefined && !skipped && countDivisions(attempt, 'r') < looksMax;
}

/**
 * The same batch under another attempt, with these of its images, to be encoded.
 * @throws Error where there is nothing to encode them from
 */
export function divide(
  job: EncodeJob | DecodeJob,
  division: Division,
  images: ImageRef[],
): EncodeJob {
  const { source } = job;
  if (source === null) throw new Error(`the images of ${job.run} are not to be had`);
  return { ...batchOf(job), source, attempt: job.attempt + division, images };
}

/** What all jobs of a batch say of it. */
function batchOf(job: EncodeJob | DecodeJob) {
  const { run, batch, attempt, output, model, options, featureType, keep } = job;
  const { sidecars, sidecarRules, priority } = job;
  return {
    ...{ run, batch, attempt, output, model, options, featureType, keep, sidecars },
    ...(sidecarRules && { sidecarRules }),
    ...(priority && { priority }),
  };
}

/** Two halves, to find the image that workers die on. */
export function halve(job: EncodeJob | DecodeJob): [EncodeJob, EncodeJob] {
  const images = imageRefs(job);
  const middle = Math.ceil(images.length / 2);
  return [divide(job, 'a', images.slice(0, middle)), divide(job, 'b', images.slice(middle))];
}

/** Two halves of a job whose features were kept: there is nothing to be encoded for them. */
export function halveKept(job: DecodeJob): [DecodeJob, DecodeJob] {
  const middle = Math.ceil(job.images.length / 2);
  const [first, second] = [job.images.slice(0, middle), job.images.slice(middle)];
  const encoded = first.filter(({ status }) => status === 'encoded').length;
  const { features } = job;
  if (features !== null && !('pieces' in features)) throw new Error('expected kept features');
  const half = (division: Division, images: EncodedImage[], rows: [number, number]): DecodeJob => ({
    ...batchOf(job),
    ...{ source: job.source, attempt: job.attempt + division, images, deferred: [] },
    features: features && takeRows(features, ...rows),
  });
  return [half('a', first, [0, encoded]), half('b', second, [encoded, Infinity])];
}

/** The features of the encoded images from `first` up to, but not including, `end`. */
function takeRows(features: KeptFeaturesRef, first: number, end: number): KeptFeaturesRef | null {
  let place = 0;
  const pieces = features.pieces.flatMap((piece) => {
    const rows = piece.rows.slice(Math.max(first - place, 0), Math.max(end - place, 0));
    place += piece.rows.length;
    return rows.length > 0 ? [{ ...piece, rows }] : [];
  });
  return pieces.length > 0 ? { ...features, pieces } : null;
}

/** Images of a job, deferred ones and copies too, that another try at it has no row of, or did not find. */
export function withoutRow(job: DecodeJob, found: readonly (PartRow | EncodedImage)[]): ImageRef[] {
  const names = new Set(found.map(rowName));
  return imageRefs(job).filter((ref) => !names.has(imageName(ref)));
}

/** A job's features, where they are in flight: then they are to be removed some time. */
export function inFlight({ features }: DecodeJob): FeaturesInFlight | undefined {
  return features && 'name' in features ? features : undefined;
}

/** How often `division` occurs in the attempt's history. */
export function countDivisions(attempt: string, division?: Division): number {
  const letters = attempt.replace(/^\d+/, '');
  return division ? letters.split(division).length - 1 : letters.length;
}
