import { type FailureClass, failureClasses } from '@cutline/shared/errors';
import { formatPart, type PartRow, type Usage, wilsonInterval } from '@cutline/shared/run';
import { z } from 'zod';
import { bootstrapRatio, type Interval, intervalSchema } from './interval.ts';

/** What came of trying some images, and what their rows say of all. */

const share = z.strictObject({
  images: z.int().nonnegative(),
  share: intervalSchema,
  /** What was said of them, at most three. */
  messages: z.array(z.string()),
});

export const trialSchema = z.strictObject({
  images: z.int().positive(),
  captioned: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  failed: z.strictObject({ images: z.int().nonnegative(), share: intervalSchema }),
  /** In the order of their list. */
  failedByClass: z.partialRecord(z.enum(failureClasses), share),
  /** Of one machine like this, for an image of the listing, whatever becomes of it. */
  seconds: z.strictObject({
    encode: intervalSchema,
    decode: intervalSchema,
    /** Where one machine does both. */
    both: intervalSchema,
  }),
  /** Of an image that was read. */
  imageBytes: intervalSchema,
  /** Of an image's row of results. */
  rowBytes: intervalSchema,
  /** Of an encoded image. */
  featureBytes: z.number().nonnegative(),
  /** Of an image, where a server answers. */
  usage: z
    .strictObject({
      promptTokens: intervalSchema,
      completionTokens: intervalSchema,
      costUsd: intervalSchema.optional(),
    })
    .optional(),
});

export type Trial = z.infer<typeof trialSchema>;

/** What rows tell. */
export type Outcomes = Omit<Trial, 'seconds' | 'imageBytes' | 'featureBytes'>;

/** @param rows of all that were tried, at least one */
export function outcomesOf(rows: readonly PartRow[], seed: number): Outcomes {
  const of = (status: PartRow['status']) => rows.filter((row) => row.status === status).length;
  const failed = new Map<FailureClass, { images: number; messages: Set<string> }>();
  for (const row of rows) {
    if (row.status !== 'failed') continue;
    const { class: name, message } = row.failure;
    const found = failed.get(name) ?? { images: 0, messages: new Set() };
    failed.set(name, found);
    found.images += 1;
    if (found.messages.size < 3) found.messages.add(message);
  }
  const byClass = failureClasses.flatMap((name) => {
    const found = failed.get(name);
    if (!found) return [];
    const { images, messages } = found;
    return [[name, { images, share: shareOf(images, rows.length), messages: [...messages] }]];
  });
  return {
    images: rows.length,
    captioned: of('captioned'),
    skipped: of('skipped'),
    failed: { images: of('failed'), share: shareOf(of('failed'), rows.length) },
    failedByClass: Object.fromEntries(byClass) as Trial['failedByClass'],
    rowBytes: bootstrapRatio(rows.map(bytesOfRow), seed),
    ...usageOf(rows, seed),
  };
}

function shareOf(images: number, all: number): Interval {
  const { low, high } = wilsonInterval(images, all);
  const expected = images / all;
  return { expected, low: Math.min(low, expected), high: Math.max(high, expected) };
}

/** What answers took, an image of the listing; nothing where none says it. */
function usageOf(rows: readonly PartRow[], seed: number): Pick<Trial, 'usage'> {
  const usages = rows.map((row) => ('usage' in row ? row.usage : undefined));
  if (usages.every((usage) => usage === undefined)) return {};
  const ratio = (of: (usage: Usage) => number | undefined) =>
    bootstrapRatio(
      usages.map((usage) => ({ amount: (usage && of(usage)) ?? 0, images: 1 })),
      seed,
    );
  const hasCost = usages.some((usage) => usage?.costUsd !== undefined);
  return {
    usage: {
      promptTokens: ratio(({ promptTokens }) => promptTokens),
      completionTokens: ratio(({ completionTokens }) => completionTokens),
      ...(hasCost && { costUsd: ratio(({ costUsd }) => costUsd) }),
    },
  };
}

function bytesOfRow(row: PartRow) {
  return { amount: formatPart([row]).length, images: 1 };
}
