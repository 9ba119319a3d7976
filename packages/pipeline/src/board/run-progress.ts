import type { PartRow, Summary } from '@cutline/shared/run';

/**
 * How far a run is, for people who watch. It may be lost at any time (the output store is the
 * truth): the producer counts again from the parts when it resumes. A `RunBoard` keeps it.
 */

export interface RunProgress {
  /** Images listed so far. */
  listed: number;
  /** Their bytes; absent where others began the listing. */
  listedBytes?: number;
  /** 1 when the listing is complete, else 0. */
  listingComplete: number;
  enqueued: number;
  encoded: number;
  captioned: number;
  skipped: number;
  failed: number;
  failedByClass: Record<string, number>;
  /** By when the run should be done, in ms since 1970; absent where nobody said so. */
  deadlineMs?: number;
}

/** Names the counting of a part, for decoders and for the producer that counts again. */
export function partStep({ batch, attempt }: { batch: number; attempt: string }): string {
  return `part:${batch}.${attempt}`;
}

/** `captioned`, `skipped`, `failed` and `failed:<class>` of these rows. */
export function countByOutcome(rows: readonly PartRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (field: string) => {
    counts[field] = (counts[field] ?? 0) + 1;
  };
  for (const row of rows) {
    add(row.status);
    if (row.status === 'failed') add(`failed:${row.failure.class}`);
    // Nobody encodes a copy: it counts when it is there.
    if (row.status === 'captioned' && row.duplicateOf !== undefined) add('encoded');
  }
  return counts;
}

/** `captioned`, `skipped`, `failed` and `failed:<class>`, as a ledger or a summary counts them. */
export function countsOfOutcomes({
  captioned,
  skipped,
  failed,
  failedByClass,
}: Pick<Summary, 'captioned' | 'skipped' | 'failed' | 'failedByClass'>): Record<string, number> {
  const byClass = Object.entries(failedByClass).map(([name, n]) => [`failed:${name}`, n]);
  return { encoded: captioned, captioned, skipped, failed, ...Object.fromEntries(byClass) };
}

/** undefined where there are no counters: then nothing is known of the run. */
export function progressOfCounters(
  counters: readonly (readonly [counter: string, value: number])[],
): RunProgress | undefined {
  if (counters.length === 0) return undefined;
  const values = new Map(counters);
  const count = (counter: string) => values.get(counter) ?? 0;
  const listedBytes = values.get('listedBytes');
  const deadlineMs = values.get('deadlineMs');
  const failures = counters.filter(([counter]) => counter.startsWith('failed:'));
  return {
    listed: count('listed'),
    ...(listedBytes !== undefined && { listedBytes }),
    ...(deadlineMs !== undefined && { deadlineMs }),
    listingComplete: count('listingComplete'),
    enqueued: count('enqueued'),
    encoded: count('encoded'),
    captioned: count('captioned'),
    skipped: count('skipped'),
    failed: count('failed'),
    failedByClass: Object.fromEntries(
      failures.map(([counter, value]) => [counter.slice('failed:'.length), value]),
    ),
  };
}

/** A finished run's progress, as its summary tells it. */
export function progressOf(summary: Summary): RunProgress {
  return {
    listed: summary.images,
    listingComplete: 1,
    enqueued: summary.images,
    encoded: summary.captioned,
    captioned: summary.captioned,
    skipped: summary.skipped,
    failed: summary.failed,
    failedByClass: summary.failedByClass,
  };
}
