import type { PartRow, Summary } from '@cutline/shared/run';
import type { Redis } from 'ioredis';

/**
 * How far a run is, kept in Redis for people who watch. It may be lost at any time (S3 is the
 * truth): the producer counts again from the parts when it resumes.
 *
 * Each step is counted once however often it is repeated: a counter moves only when the step's
 * name is new to the run's set of steps.
 */

export interface RunProgress {
  /** Images listed so far. */
  listed: number;
  /** 1 when the listing is complete, else 0. */
  listingComplete: number;
  enqueued: number;
  encoded: number;
  captioned: number;
  skipped: number;
  failed: number;
  failedByClass: Record<string, number>;
}

const ttlSeconds = 30 * 24 * 3600;
const hashKey = (run: string) => `cutline:run:${run}:progress`;
const stepsKey = (run: string) => `cutline:run:${run}:steps`;

/** Where the producer that drives a run leaves its name, for as long as it lives. */
export const producerKey = (run: string) => `cutline:run:${run}:producer`;

/** KEYS: steps, hash. ARGV: step, ttl, then field and increment, repeated. */
const countScript = `
  if redis.call('SADD', KEYS[1], ARGV[1]) == 0 then return 0 end
  for i = 3, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[2])
  return 1
`;

/** KEYS: hash. ARGV: ttl, then field and value, repeated. */
const setScript = `
  redis.call('HSET', KEYS[1], unpack(ARGV, 2))
  return redis.call('EXPIRE', KEYS[1], ARGV[1])
`;

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
  }
  return counts;
}

type Counts = Partial<Record<string, number>>;

/**
 * Adds counts once per step.
 * @param step names the work: `encode:<batch>.<attempt>` or `part:<batch>.<attempt>`
 * @returns whether the step was new.
 */
export async function countProgress(
  redis: Redis,
  run: string,
  step: string,
  counts: Counts,
): Promise<boolean> {
  const increments = Object.entries(counts).flatMap(([field, n]) => (n ? [field, n] : []));
  const counted = await redis.eval(
    countScript,
    2,
    stepsKey(run),
    hashKey(run),
    step,
    ttlSeconds,
    ...(increments as (string | number)[]),
  );
  return counted === 1;
}

/** Sets counters to what the producer counted itself. */
export async function setProgress(redis: Redis, run: string, counts: Counts): Promise<void> {
  const fields = Object.entries(counts).flat() as (string | number)[];
  await redis.eval(setScript, 1, hashKey(run), ttlSeconds, ...fields);
}

/** Forgets everything; the producer's next pass counts anew from the parts. */
export async function resetProgress(redis: Redis, run: string): Promise<void> {
  await redis.unlink(hashKey(run), stepsKey(run));
}

/** undefined when Redis knows nothing of the run (any more). */
export async function readProgress(redis: Redis, run: string): Promise<RunProgress | undefined> {
  const hash = await redis.hgetall(hashKey(run));
  if (Object.keys(hash).length === 0) return undefined;
  const count = (field: string) => Number(hash[field] ?? 0);
  const failedByClass: Record<string, number> = {};
  for (const field of Object.keys(hash)) {
    if (field.startsWith('failed:')) failedByClass[field.slice('failed:'.length)] = count(field);
  }
  return {
    listed: count('listed'),
    listingComplete: count('listingComplete'),
    enqueued: count('enqueued'),
    encoded: count('encoded'),
    captioned: count('captioned'),
    skipped: count('skipped'),
    failed: count('failed'),
    failedByClass,
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
