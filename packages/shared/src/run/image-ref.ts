import { z } from 'zod';
import { skipReasons } from '../errors.ts';

/** By name. */
export const columnsSchema = z.record(z.string(), z.string());

/** An image as it was listed: what the manifest says of it, and what jobs carry. */
export const imageRefSchema = z.strictObject({
  key: z.string().min(1),
  /** As listed; null where the images were named by a list of keys. */
  etag: z.string().nullable(),
  bytes: z.int().nonnegative().nullable(),
  /** Present on images that are not to be captioned; their row only says why. */
  skipped: z.enum(skipReasons).optional(),
  /** What the list of keys says besides, in the columns that the model's prompt has places for. */
  columns: columnsSchema.optional(),
  /** What it says in the columns that are carried into the row of results. */
  source: columnsSchema.optional(),
  /** The batch of the first image that has the same ETag and size, where one caption is to do. */
  sameAs: z.int().nonnegative().optional(),
});

export type ImageRef = z.infer<typeof imageRefSchema>;
