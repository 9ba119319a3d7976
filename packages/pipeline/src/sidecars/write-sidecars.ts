import { describeError } from '@cutline/shared/errors';
import {
  type CaptionedRow,
  findAttempt,
  type PartRow,
  type RunStore,
  type SidecarKind,
  type SidecarRecord,
  type SidecarRules,
  sha256,
} from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { type FoundFile, planSidecar, type SidecarPlan } from './plan-sidecar.ts';
import { batchBook, type SidecarBook } from './sidecar-book.ts';
import type { SidecarRow } from './sidecar-row.ts';

export interface SidecarRequest {
  run: RunStore;
  batch: number;
  attempt: string;
  /** Of the output. */
  prefix: string;
  kinds: readonly SidecarKind[];
  rules: SidecarRules;
}

/** One that is wanted. */
export interface Sidecar {
  /** In the output store. */
  key: string;
  kind: SidecarKind;
  row: SidecarRow;
}

/** What became of a sidecar; undefined where what is there is what would be written. */
export type Outcome = 'written' | 'kept' | 'merged' | { warning: string } | undefined;

export const sidecarContentTypes: Record<SidecarKind, string> = {
  txt: 'text/plain; charset=utf-8',
  json: 'application/json',
  xmp: 'application/rdf+xml',
};

/** A file that is larger is nothing that Cutline wrote, and nothing that it adds to. */
const fileBytesMax = 4 * 1024 * 1024;

/** Files that are looked at, or written, at a time: each may have as many bytes. */
const parallelism = 16;

/** Looks at a file that others write to again and again; then it is theirs. */
const looksMax = 3;

/**
 * Writes small files beside each captioned image, for catalogues that look for them there:
 * `photo.jpg.txt` (the caption), `photo.jpg.json` (the row), `photo.jpg.xmp`. "Beside" means the
 * image's key in the output store, under the output's prefix; with the same bucket for both, they
 * stand beside the image itself, where others may have put files of their own: those are theirs
 * (see `ExistingRule`), also if they are put there at this moment.
 *
 * What is about to be written is recorded first: so that who finds a caption knows whether it is
 * ours, and `cutline withdraw` what to take away. Once an attempt has its part, its sidecars have
 * been written, and are left to whoever they belong to.
 *
 * @returns the rows that count for the attempt. They name the sidecars that were kept or added to,
 *   and warn of those that the store cannot hold (a key that is too long, say).
 */
export async function writeSidecars(
  request: SidecarRequest,
  rows: readonly PartRow[],
): Promise<PartRow[]> {
  const { run, batch, attempt, prefix, kinds, rules } = request;
  const wanted = rows.filter((row): row is CaptionedRow => wantsSidecars(row, rules));
  const sidecars = wanted.flatMap((row) => sidecarsOf(row, prefix, kinds));
  const place = { store: run.store, run: run.run, book: batchBook(run, batch), rules };
  const findPart = () => findAttempt(run, batch, attempt);
  const { part, outcomes } = await bringAbout(place, sidecars, findPart);
  return part ?? rows.map((row) => noteSidecars(row, outcomes));
}

/** Where sidecars are written, and by which rules. */
export interface SidecarPlace {
  store: ObjectStore;
  /** Its name, which they say. */
  run: string;
  book: SidecarBook;
  rules: SidecarRules;
}

export function sidecarsOf(
  row: SidecarRow,
  prefix: string,
  kinds: readonly SidecarKind[],
): Sidecar[] {
  return kinds.map((kind) => ({ key: `${prefix}${row.key}.${kind}`, kind, row }));
}

/**
 * Writes what is wanted, and records it.
 * @param findPart of the attempt that writes them: once it has its part, nothing is written
 * @returns what became of each; and the rows of the attempt, where it has its part
 */
export async function bringAbout(
  place: SidecarPlace,
  sidecars: readonly Sidecar[],
  findPart?: () => Promise<PartRow[] | undefined>,
): Promise<{ outcomes: ReadonlyMap<Sidecar, Outcome>; part?: PartRow[] }> {
  const { store, book } = place;
  const outcomes = new Map<Sidecar, Outcome>();
  let open = sidecars;
  for (let looks = 1; open.length > 0; looks++) {
    // Before the records are read: whoever writes a file has recorded it, so that one which is seen
    // here and is ours is in them, also where another try at the batch writes at this moment.
    const seen = await mapSome(open, async (each) => [each, await look(store, each)] as const);
    const records = await book.read(open.map(({ key }) => key));
    // Somebody was at this batch before: they may have been done with it.
    const part = records.length > 0 ? await findPart?.() : undefined;
    if (part) return { outcomes, part };
    const plans = await planAll(place, seen, records);
    const known = new Set(records.map(nameOf));
    const added = [...plans].flatMap(recordOf).filter((record) => !known.has(nameOf(record)));
    if (added.length > 0) await book.add(added);
    const done = await mapSome(plans, async ([sidecar, plan]) => {
      const outcome = await carryOut(store, sidecar, plan);
      return [sidecar, outcome] as const;
    });
    const taken: Sidecar[] = [];
    for (const [sidecar, outcome] of done) {
      if (outcome !== 'taken') outcomes.set(sidecar, outcome);
      else if (looks < looksMax) taken.push(sidecar);
      else outcomes.set(sidecar, 'kept');
    }
    open = taken;
  }
  return { outcomes };
}

/** With as many at a time as may be. */
function mapSome<T, U>(items: Iterable<T>, map: (item: T) => Promise<U>): Promise<U[]> {
  const limit = pLimit(parallelism);
  return Promise.all(Array.from(items, (item) => limit(() => map(item))));
}

/** What is to be done about each; `taken` where somebody was at the file since it was looked at. */
async function planAll(
  { store, run, rules }: SidecarPlace,
  seen: readonly (readonly [Sidecar, FoundFile | undefined])[],
  records: readonly SidecarRecord[],
): Promise<Map<Sidecar, SidecarPlan | 'taken'>> {
  const written = new Set(records.filter(({ how }) => how === 'written').map(nameOf));
  const plan = async (sidecar: Sidecar, there: FoundFile | undefined) => {
    const { key, row, kind } = sidecar;
    const isRecorded = (hash: string) => written.has(nameOf({ key, how: 'written', sha256: hash }));
    const found = there && (await read(store, key, there));
    if (found === 'taken') return found;
    return planSidecar({ row, run, kind, rules }, found, isRecorded);
  };
  const plans = mapSome(seen, async ([each, there]) => [each, await plan(each, there)] as const);
  return new Map(await plans);
}

/** What tells a record from others. */
function nameOf(record: SidecarRecord): string {
  const what = record.how === 'written' ? record.sha256 : record.inserted;
  return JSON.stringify([record.key, record.how, what]);
}

export function wantsSidecars(row: PartRow, { scoreMin }: SidecarRules): boolean {
  if (row.status !== 'captioned') return false;
  return scoreMin === null || (row.score !== null && row.score >= scoreMin);
}

/** By a HEAD: where there is nothing, as nearly always, that is all. @returns without its bytes */
async function look(store: ObjectStore, { key }: Sidecar): Promise<FoundFile | undefined> {
  try {
    const found = await store.head(key);
    return found && { bytes: undefined, etag: found.etag };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    // Of a name that the store cannot hold: writing it will tell.
    if (error.reason === 'not-found' || error.reason === 'refused') return undefined;
    if (error.reason === 'access-denied') return { bytes: undefined, etag: undefined };
    throw error;
  }
}

/** @returns what was seen, with its bytes if they can be had. */
async function read(
  store: ObjectStore,
  key: string,
  seen: FoundFile,
): Promise<FoundFile | 'taken'> {
  const { etag } = seen;
  if (etag === undefined) return seen;
  try {
    return await store.get(key, { bytesMax: fileBytesMax, etag });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.reason === 'not-found' || error.reason === 'changed') return 'taken';
    // Nothing of ours, locked away, or in an archive tier.
    if (error.reason === 'too-large' || error.reason === 'access-denied') return seen;
    throw error;
  }
}

function recordOf([{ key }, plan]: [Sidecar, SidecarPlan | 'taken']): SidecarRecord[] {
  if (plan === 'taken') return [];
  if (plan.action === 'write') return [{ key, how: 'written', sha256: sha256(plan.bytes) }];
  if (plan.action === 'merge') return [{ key, how: 'merged', inserted: plan.inserted }];
  return [];
}

/** @returns `taken` where somebody was at the file since it was looked at. */
async function carryOut(
  store: ObjectStore,
  { key, kind }: Sidecar,
  plan: SidecarPlan | 'taken',
): Promise<Outcome | 'taken'> {
  if (plan === 'taken') return plan;
  if (plan.action === 'none') return plan.isMerged ? 'merged' : undefined;
  if (plan.action === 'keep') return 'kept';
  const condition = plan.etag === undefined ? { ifAbsent: true as const } : { ifMatch: plan.etag };
  try {
    await store.put(key, plan.bytes, { contentType: sidecarContentTypes[kind], ...condition });
    return plan.action === 'merge' ? 'merged' : 'written';
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.reason === 'exists') return 'taken';
    if (error.reason === 'refused') {
      return { warning: `no .${kind} sidecar: ${describeError(error)}` };
    }
    throw error;
  }
}

/** The row with what became of its sidecars. */
export function noteSidecars(row: PartRow, outcomes: ReadonlyMap<Sidecar, Outcome>): PartRow {
  if (row.status !== 'captioned') return row;
  const warnings = [...(row.warnings ?? [])];
  const noted: NonNullable<CaptionedRow['sidecars']> = {};
  for (const [{ row: of, kind }, outcome] of outcomes) {
    if (of !== row || outcome === undefined || outcome === 'written') continue;
    if (typeof outcome === 'string') noted[kind] = outcome;
    else warnings.push(outcome.warning);
  }
  return {
    ...row,
    ...(warnings.length > 0 && { warnings }),
    ...(Object.keys(noted).length > 0 && { sidecars: noted }),
  };
}
