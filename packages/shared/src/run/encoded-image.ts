import { z } from 'zod';
import { failureClasses, skipReasons } from '../errors.ts';
import { columnsSchema } from './image-ref.ts';

/** An image after the encode stage: encoded (its features are the next ones of its batch) or not. */
export const encodedImageSchema = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('encoded'),
    key: z.string(),
    etag: z.string().nullable(),
    width: z.int().positive(),
    height: z.int().positive(),
    /** For its row. */
    warnings: z.array(z.string()).optional(),
    columns: columnsSchema.optional(),
    source: columnsSchema.optional(),
  }),
  z.strictObject({
    status: z.literal('failed'),
    key: z.string(),
    etag: z.string().nullable(),
    failure: z.strictObject({ class: z.enum(failureClasses), message: z.string() }),
    columns: columnsSchema.optional(),
    source: columnsSchema.optional(),
  }),
  z.strictObject({
    status: z.literal('skipped'),
    key: z.string(),
    etag: z.string().nullable(),
    reason: z.enum(skipReasons),
    source: columnsSchema.optional(),
  }),
]);

export type EncodedImage = z.infer<typeof encodedImageSchema>;
