import { z } from 'zod';
import type { CaptionedRow, FailedRow, PartRow } from './part.ts';
import { sidecarCountsSchema } from './sidecars.ts';
import { addUsage, takeUsage, totalsOf, usageTotalsSchema } from './usage.ts';

/** Images by what became of them; of a chunk, or of a run. */
export const countsSchema = z.strictObject({
  images: z.int().nonnegative(),
  captioned: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  skippedByReason: z.record(z.string(), z.int().positive()),
  failedByClass: z.record(z.string(), z.int().positive()),
  /** Of the answers of a server, where one was asked. */
  usage: usageTotalsSchema.optional(),
  /** Captioned images that show nothing, where there are any. */
  blank: z.int().positive().optional(),
  /** Captioned images that have the caption of another, of the same content. */
  duplicates: z.int().positive().optional(),
  /** Files beside images that stayed as they were, or were added to, where there are any. */
  sidecars: sidecarCountsSchema.optional(),
});

export type Counts = z.infer<typeof countsSchema>;

export function countRows(rows: Iterable<PartRow>): Counts {
  const counts = noCounts();
  for (const row of rows) {
    counts.images += 1;
    counts[row.status] += 1;
    if (row.status === 'failed') add(counts.failedByClass, row.failure.class, 1);
    if (row.status === 'skipped') add(counts.skippedByReason, row.reason, 1);
    else if (row.usage) counts.usage = addUsage(counts.usage, totalsOf(row.usage));
    if (row.status !== 'captioned') continue;
    if (row.sidecars) countSidecars(counts, row.sidecars);
    if (row.warnings?.includes('blank')) counts.blank = (counts.blank ?? 0) + 1;
    if (row.duplicateOf !== undefined) counts.duplicates = (counts.duplicates ?? 0) + 1;
  }
  return counts;
}

export function addCounts(all: Iterable<Counts>): Counts {
  const sum = noCounts();
  for (const counts of all) {
    for (const field of ['images', 'captioned', 'skipped', 'failed'] as const) {
      sum[field] += counts[field];
    }
    for (const field of ['skippedByReason', 'failedByClass'] as const) {
      for (const [name, n] of Object.entries(counts[field])) add(sum[field], name, n);
    }
    if (counts.usage) sum.usage = addUsage(sum.usage, counts.usage);
    if (counts.sidecars) addSidecars(sum, counts.sidecars);
    if (counts.blank) sum.blank = (sum.blank ?? 0) + counts.blank;
    if (counts.duplicates) sum.duplicates = (sum.duplicates ?? 0) + counts.duplicates;
  }
  return sum;
}

/** Images that a retry of these classes is about. */
export function countToRetry(
  { failedByClass, skippedByReason }: Pick<Counts, 'failedByClass' | 'skippedByReason'>,
  classes: readonly string[],
): number {
  const { archived = 0 } = skippedByReason;
  const countOf = (name: string) => (name === 'archived' ? archived : (failedByClass[name] ?? 0));
  return classes.reduce((sum, name) => sum + countOf(name), 0);
}

/** Counts without those of some failures. */
export function withoutFailures(counts: Counts, failures: readonly FailedRow[]): Counts {
  const rest: Counts = { ...counts, failedByClass: { ...counts.failedByClass } };
  rest.images -= failures.length;
  rest.failed -= failures.length;
  for (const { failure, usage } of failures) {
    const left = (rest.failedByClass[failure.class] ?? 0) - 1;
    if (left === 0) delete rest.failedByClass[failure.class];
    else rest.failedByClass[failure.class] = left;
    if (usage && rest.usage) rest.usage = takeUsage(rest.usage, totalsOf(usage));
    if (rest.usage === undefined) delete rest.usage;
  }
  return rest;
}

/** @throws Error where an image would be counted twice, or not at all. */
export function requireSum(counts: Counts, name: string): void {
  const { images, captioned, skipped, failed } = counts;
  const total = (by: Record<string, number>) => Object.values(by).reduce((sum, n) => sum + n, 0);
  if (captioned + skipped + failed !== images) {
    throw new Error(
      `${name} does not add up: ${captioned} captioned + ${skipped} skipped + ${failed} failed ` +
        `is not ${images} images`,
    );
  }
  if (total(counts.skippedByReason) !== skipped || total(counts.failedByClass) !== failed) {
    throw new Error(`${name} does not add up: skipped by reason, or failed by class`);
  }
}

function noCounts(): Counts {
  return { images: 0, captioned: 0, skipped: 0, failed: 0, skippedByReason: {}, failedByClass: {} };
}

function add(counts: Record<string, number>, name: string, n: number): void {
  counts[name] = (counts[name] ?? 0) + n;
}

function countSidecars(counts: Counts, sidecars: NonNullable<CaptionedRow['sidecars']>): void {
  const outcomes = Object.values(sidecars);
  const of = (outcome: string) => outcomes.filter((each) => each === outcome).length;
  addSidecars(counts, { kept: of('kept'), merged: of('merged') });
}

function addSidecars(counts: Counts, { kept, merged }: NonNullable<Counts['sidecars']>): void {
  const { sidecars = { kept: 0, merged: 0 } } = counts;
  counts.sidecars = { kept: sidecars.kept + kept, merged: sidecars.merged + merged };
}
