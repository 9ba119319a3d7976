import { captionOptionsSchema } from '@cutline/captioner/caption-options';
import { z } from 'zod';
import { type Counts, countsSchema, requireSum } from './counts.ts';
import { featureTypes } from './feature-type.ts';
import { deadlineSchema } from './flags/deadline.ts';
import { prioritySchema } from './flags/priority.ts';
import { repeatedSchema } from './repeated-captions.ts';
import { runIdSchema } from './run-name.ts';
import { sidecarKinds, sidecarRulesSchema } from './sidecars.ts';

/** What was asked for, and what came of it: run.json and summary.json. */

/** Which of the images that the source has belong to the run. */
export const selectionSchema = z.strictObject({
  /** A list of keys instead of a listing of the store: a path, an s3:// URL, or `-` for stdin. */
  keysFrom: z.string().nullable(),
  /** Its column of keys, where that has no usual name. */
  keyColumn: z.string().optional(),
  /** Columns of it that go along for the model's prompt. */
  columns: z.array(z.string()).optional(),
  /** Columns of it that go along into rows of results. */
  carry: z.array(z.string()).optional(),
  include: z.array(z.string()),
  exclude: z.array(z.string()),
  /** The first n images; what is skipped does not count. */
  limit: z.int().positive().nullable(),
  /** n images drawn at random, in the order of the listing. */
  sample: z.strictObject({ images: z.int().positive(), seed: z.int() }).nullable(),
});

export type Selection = z.infer<typeof selectionSchema>;

/** Features that stay when the run is finished. */
const keepFeaturesSchema = z.strictObject({
  /** Of the place where they are; null: beside the results. */
  location: z.strictObject({ store: z.string(), prefix: z.string() }).nullable(),
  /** What of the model encodes: see `encoderHash` of the captioner. */
  encoder: z.string(),
});

const decodesSchema = z.strictObject({
  run: runIdSchema,
  /** Where that run keeps its features; null: beside its results. */
  location: z.strictObject({ store: z.string(), prefix: z.string() }).nullable(),
});

/** Written once, before anything else of the run, and never again. */
export const runSchema = z.strictObject({
  format: z.literal(2),
  run: runIdSchema,
  /** ISO 8601, UTC. */
  created: z.string(),
  source: z.strictObject({ store: z.string(), prefix: z.string() }),
  selection: selectionSchema,
  model: z.string(),
  options: captionOptionsSchema,
  sidecars: z.array(z.enum(sidecarKinds)),
  sidecarRules: sidecarRulesSchema.optional(),
  /** Which images are captioned once; absent: none. */
  duplicates: z.enum(['etag']).optional(),
  /** Absent: normal. */
  priority: prioritySchema.optional(),
  /** By when it should be done, ISO 8601, UTC; absent where nobody said so. */
  deadline: deadlineSchema.optional(),
  /** Absent: float16. */
  featureType: z.enum(featureTypes).optional(),
  /** Present where it decodes features that another run kept, of the same output. */
  decodes: decodesSchema.optional(),
  /** Present where its features are kept. */
  keepFeatures: keepFeaturesSchema.optional(),
  /** Present where results stay in parts: its chunks are not compacted. */
  keepParts: z.literal(true).optional(),
  batchSize: z.int().min(1).max(1024),
  /** Batches in a chunk of the manifest. */
  chunkBatches: z.int().min(1).max(1_000_000),
  cutline: z.string(),
});

export type Run = z.infer<typeof runSchema>;

const summaryFields = {
  run: runIdSchema,
  /** That finished it; a later claim to produce it means that the run goes on. */
  generation: z.int().nonnegative(),
  ...countsSchema.shape,
  /** Captions of more than 2% of the images that have one, where there are any. */
  repeated: repeatedSchema.optional(),
  chunks: z.int().nonnegative(),
  parts: z.int().nonnegative(),
  model: z.string(),
  /** Of the run: ISO 8601, UTC, as the other times. */
  created: z.string(),
  /** When every image had a row for the first time. */
  finished: z.string(),
  /** Images captioned by then, over the time from `created` to `finished`. */
  imagesPerSecond: z.number(),
  /** When failures were last tried again, if they ever were. */
  retried: z.string().nullable(),
};

/** As it is written now: with what readers of results would else have to look for. */
const summary3Schema = z.strictObject({
  format: z.literal(3),
  ...summaryFields,
  batchSize: z.int().min(1),
  chunkBatches: z.int().min(1),
  /** The generations of the ledgers, in the order of their chunks: of so many chunks in a row. */
  ledgers: z.array(
    z.strictObject({ chunks: z.int().positive(), generation: z.int().nonnegative() }),
  ),
});

export type Summary3 = z.infer<typeof summary3Schema>;

/** The sum of the ledgers; written last. */
export const summarySchema = z.discriminatedUnion('format', [
  z.strictObject({ format: z.literal(2), ...summaryFields }),
  summary3Schema,
]);

export type Summary = z.infer<typeof summarySchema>;

/** @param generations of the ledgers, in the order of their chunks */
export function ledgerStretches(generations: Iterable<number>): Summary3['ledgers'] {
  const stretches: Summary3['ledgers'] = [];
  for (const generation of generations) {
    const last = stretches.at(-1);
    if (last?.generation === generation) last.chunks += 1;
    else stretches.push({ chunks: 1, generation });
  }
  return stretches;
}

/** The generation of a chunk's ledger; undefined for a chunk that the run does not have. */
export function ledgerGeneration(
  { ledgers }: Pick<Summary3, 'ledgers'>,
  chunk: number,
): number | undefined {
  let end = 0;
  return ledgers.find(({ chunks }) => {
    end += chunks;
    return chunk < end;
  })?.generation;
}

/** @throws Error where it does not add up: it must not be written. */
export function checkSummary(summary: Summary): Summary {
  requireSum(summary satisfies Counts, 'the summary');
  if (summary.format === 3) {
    const chunks = summary.ledgers.reduce((sum, each) => sum + each.chunks, 0);
    if (chunks !== summary.chunks) {
      throw new Error(`the summary names ${chunks} ledgers of ${summary.chunks} chunks`);
    }
  }
  return summarySchema.parse(summary);
}
