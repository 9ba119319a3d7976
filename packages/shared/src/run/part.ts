import { z } from 'zod';
import { failureClasses, skipReasons } from '../errors.ts';
import { columnsSchema } from './image-ref.ts';
import { sidecarOutcomesSchema } from './sidecars.ts';
import { usageSchema } from './usage.ts';

/**
 * A part holds a batch's results: JSON Lines, one row an image, in the order of the batch.
 * Rows are deterministic (no times, no host names), so that writing a part twice is harmless.
 */

const imageFields = {
  key: z.string(),
  etag: z.string().nullable(),
  /** What the list of keys says of it, in the columns that were to be carried. */
  source: columnsSchema.optional(),
};

export const candidateSchema = z.strictObject({
  caption: z.string(),
  /** null where a server keeps them to itself. */
  logProb: z.number().nullable(),
  score: z.number().nullable(),
});

export const captionedRowSchema = z.strictObject({
  ...imageFields,
  status: z.literal('captioned'),
  caption: z.string(),
  /**
   * Sum of the words' natural-log probabilities, the end token included; null where a server keeps
   * them to itself.
   */
  logProb: z.number().nullable(),
  /** logProb, length-normalised. */
  score: z.number().nullable(),
  /** The n best, best first; the first one is `caption`. */
  candidates: z.array(candidateSchema),
  /** What models behind servers say besides, where they are asked to: see record 19. */
  altText: z.string().optional(),
  keywords: z.array(z.string()).optional(),
  /** Text that is to be read in the image. */
  visibleText: z.string().optional(),
  /** Of the image as seen upright, in pixels. */
  width: z.int().positive(),
  height: z.int().positive(),
  /** The key of the image of the same ETag and size whose caption this is. */
  duplicateOf: z.string().optional(),
  /** Model id: `<name>@<12 hex digits of the bundle's hash>`. */
  model: z.string(),
  /** What went less than well beside it: a sidecar that could not be written, say. */
  warnings: z.array(z.string()).optional(),
  /** Sidecars that were not plainly written. */
  sidecars: sidecarOutcomesSchema.optional(),
  /** On request: one array of L weights a word of `caption`. */
  attention: z.array(z.array(z.number())).optional(),
  /** What the answer of a server took. */
  usage: usageSchema.optional(),
});

export const failedRowSchema = z.strictObject({
  ...imageFields,
  status: z.literal('failed'),
  failure: z.strictObject({ class: z.enum(failureClasses), message: z.string() }),
  /** What an answer took that was no caption. */
  usage: usageSchema.optional(),
});

export const skippedRowSchema = z.strictObject({
  ...imageFields,
  status: z.literal('skipped'),
  reason: z.enum(skipReasons),
});

export const partRowSchema = z.discriminatedUnion('status', [
  captionedRowSchema,
  skippedRowSchema,
  failedRowSchema,
]);

export type Candidate = z.infer<typeof candidateSchema>;
export type CaptionedRow = z.infer<typeof captionedRowSchema>;
export type FailedRow = z.infer<typeof failedRowSchema>;
export type SkippedRow = z.infer<typeof skippedRowSchema>;
export type PartRow = z.infer<typeof partRowSchema>;
export type Failure = FailedRow['failure'];

/** @throws Error where a row is not as `parsePart` wants it (a score that is not finite, say). */
export function formatPart(rows: readonly PartRow[]): Buffer {
  return Buffer.from(rows.map((row) => `${JSON.stringify(partRowSchema.parse(row))}\n`).join(''));
}

/** @throws Error naming the line, where a row is not what this version writes. */
export function parsePart(bytes: Uint8Array, name: string): PartRow[] {
  return parseJsonLines(bytes, partRowSchema, name);
}

/** @throws Error naming the line that is not JSON or not of the schema. */
export function parseJsonLines<T>(bytes: Uint8Array, schema: z.ZodType<T>, name: string): T[] {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('utf8')
    .split('\n');
  const rows: T[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    try {
      rows.push(schema.parse(JSON.parse(line)));
    } catch (cause) {
      throw new Error(`${name}, line ${index + 1}: not a valid row`, { cause });
    }
  }
  return rows;
}
