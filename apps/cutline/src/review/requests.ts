import { captionSchema } from '@cutline/shared/run';
import { z } from 'zod';
import type { Decide, Query, Undo } from './client/messages.ts';

/** Whatever comes over HTTP, held to what the page sends (client/messages.ts). */

const decisions = ['accepted', 'corrected', 'rejected'] as const;

export const querySchema = z.strictObject({
  order: z.enum(['least-certain', 'random', 'listing', 'most-certain']),
  state: z.enum(['open', 'reviewed', ...decisions, 'any']),
  kind: z.string().max(300),
  scoreMin: z.number().nullable(),
  scoreMax: z.number().nullable(),
  search: z.string().max(1000),
}) satisfies z.ZodType<Query>;

export const pageSchema = z.strictObject({
  list: z.int().nonnegative(),
  from: z.int().nonnegative(),
  count: z.int().min(1).max(50),
});

const id = z.uuid();

export const decideSchema = z.strictObject({
  id,
  n: z.int().nonnegative(),
  decision: z.enum(decisions),
  caption: z.string().trim().pipe(captionSchema).optional(),
  seen: id.nullable(),
}) satisfies z.ZodType<Decide, unknown>;

export const undoSchema = z.strictObject({ id, undoes: id }) satisfies z.ZodType<Undo>;

/** The longest side of a picture, in pixels: there are few, so that pictures are made once. */
export const sides = [800, 1600, 2400] as const;
export type Side = (typeof sides)[number];
export const sideSchema = z.coerce.number().pipe(z.literal(sides));
