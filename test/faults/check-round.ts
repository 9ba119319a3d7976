import { connectRedis, RedisFeatures } from '@cutline/pipeline';
import type { FailureClass } from '@cutline/shared/errors';
import { type PartRow, type RunState, readChunk, readResults } from '@cutline/shared/run';
import { countJobs, findKeys } from '../support/redis-keys.ts';
import { waitFor } from '../support/wait-for.ts';
import type { ArchivedImage } from './archive.ts';
import type { Scene } from './world.ts';

/** What must hold of a run that is finished, whatever went wrong on the way. */

export interface Expected {
  archive: ReadonlyMap<string, ArchivedImage>;
  /** By sample number. */
  captions: readonly string[];
}

/** The rows that count, and how many are captioned. */
export async function readRows({ operator }: Scene, state: RunState): Promise<PartRow[]> {
  const rows: PartRow[] = [];
  for await (const some of readResults(operator.runStore, state)) rows.push(...some);
  return rows;
}

/**
 * Every image of the archive has one row, and the right one.
 * @param excused classes in which a good image may have failed
 * @returns a line for each violation
 */
export function checkRows(
  rows: readonly PartRow[],
  { archive, captions }: Expected,
  excused: readonly FailureClass[],
): string[] {
  const violations: string[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    const image = archive.get(row.key);
    if (!image) violations.push(`${row.key} was never in the archive`);
    else violations.push(...judge(row, image, captions[image.sample]!, excused));
    if (seen.has(row.key)) violations.push(`${row.key} has two rows`);
    seen.add(row.key);
  }
  for (const key of archive.keys()) if (!seen.has(key)) violations.push(`${key} has no row`);
  return violations;
}

function judge(
  row: PartRow,
  { kind }: ArchivedImage,
  caption: string,
  excused: readonly FailureClass[],
): string[] {
  if (row.status === 'captioned') {
    if (kind !== 'good') return [`${row.key} is ${kind}, and has a caption`];
    return row.caption === caption ? [] : [`${row.key}: "${row.caption}", and not "${caption}"`];
  }
  if (row.status === 'skipped') return [`${row.key} was skipped: ${row.reason}`];
  const { class: failure, message } = row.failure;
  if (failure === kind || excused.includes(failure)) return [];
  return [`${row.key} is ${kind}, and failed as ${failure}: ${message}`];
}

/** The listing is the archive, and the totals are those of the rows. */
export async function checkTotals(
  { operator }: Scene,
  state: RunState,
  rows: readonly PartRow[],
): Promise<string[]> {
  const { summary, manifest, claims } = state;
  const listed: string[] = [];
  for (let chunk = 0; chunk < manifest.chunks; chunk++) {
    const { images } = await readChunk(operator.runStore, claims, chunk);
    listed.push(...images.map(({ key }) => key));
  }
  const count = (status: PartRow['status']) => rows.filter((row) => row.status === status).length;
  const found = {
    images: listed.length,
    captioned: count('captioned'),
    skipped: count('skipped'),
    failed: count('failed'),
  };
  return Object.entries(found).flatMap(([field, n]) => {
    const said = summary?.[field as keyof typeof found];
    return said === n ? [] : [`summary.json says ${said} ${field}, there are ${n}`];
  });
}

/** A caption that a finished run had is there still, and the same. */
export function checkKept(before: readonly PartRow[], after: readonly PartRow[]): string[] {
  const now = new Map(after.map((row) => [row.key, row]));
  return before.flatMap((row) => {
    if (row.status !== 'captioned') return [];
    const kept = now.get(row.key);
    const isKept = kept?.status === 'captioned' && kept.caption === row.caption;
    return isKept ? [] : [`the caption of ${row.key} was replaced: ${JSON.stringify(kept)}`];
  });
}

/** `cutline verify`, as an operator would have it. */
export async function checkVerified({ pipeline, env, operator }: Scene): Promise<string[]> {
  const { exited, stdout, stderr } = await pipeline.startCutline(['verify', operator.run], env);
  const { code } = await exited;
  if (code === 0) return [];
  return [`verify ends with status ${code}: ${[...stdout, ...stderr].join(' | ')}`];
}

/**
 * Features that nobody comes for: their encoder died before its decode job was there, say. They
 * expire, and are no violation; but they count as in flight for as long.
 */
export async function featureBytesLeft({ redis }: Scene): Promise<number> {
  const client = await connectRedis(redis.adminUrl);
  try {
    return await new RedisFeatures(client, { ttlMs: 1 }).bytesInFlight();
  } finally {
    client.disconnect();
  }
}

/** Late jobs are dropped by whoever takes them: no job is left in Redis, waiting or failed. */
export async function checkRedis({ redis }: Scene): Promise<string[]> {
  const client = await connectRedis(redis.adminUrl);
  const left = async () => {
    const jobs: Record<string, number> = {};
    for (const stage of ['encode', 'decode'] as const) {
      for (const list of ['wait', 'active'] as const) {
        jobs[`${stage} ${list}`] = await countJobs(client, stage, list);
      }
      for (const set of ['delayed', 'prioritized', 'failed']) {
        for (const key of await findKeys(client, `{cutline-*}:cutline-${stage}-*:${set}`)) {
          jobs[`${stage} ${set}`] = await client.zcard(key);
        }
      }
    }
    return Object.entries(jobs).filter(([, n]) => n > 0);
  };
  try {
    await waitFor(async () => (await left()).length === 0, {
      deadlineMs: queuesEmptyMs,
      what: 'the queues to be empty',
    });
    return [];
  } catch {
    return [`jobs are left: ${JSON.stringify(await left())}`];
  } finally {
    client.disconnect();
  }
}

/** The longest pause before a job is tried again, and the locks of those who died with one. */
const queuesEmptyMs = 60_000;
