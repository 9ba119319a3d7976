import { describeError } from '@cutline/shared/errors';
import type {
  CaptionedRow,
  PartRow,
  RunStore,
  SidecarKind,
  SidecarRecord,
  SidecarRules,
} from '@cutline/shared/run';
import { sha256 } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import { type FoundFile, planSidecar, type SidecarPlan } from './plan-sidecar.ts';

export interface SidecarRequest {
  run: RunStore;
  batch: number;
  attempt: string;
  /** Of the output. */
  prefix: string;
  kinds: readonly SidecarKind[];
  rules: SidecarRules;
}

interface Sidecar {
  /** In the output store. */
  key: string;
  kind: SidecarKind;
  row: CaptionedRow;
  plan: SidecarPlan;
}

const contentTypes: Record<SidecarKind, string> = {
  txt: 'text/plain; charset=utf-8',
  json: 'application/json',
  xmp: 'application/rdf+xml',
};

/** A file that is larger is nothing that Cutline wrote, and nothing that it adds to. */
const fileBytesMax = 4 * 1024 * 1024;

/**
 * Writes small files beside each captioned image, for catalogues that look for them there:
 * `photo.jpg.txt` (the caption), `photo.jpg.json` (the row), `photo.jpg.xmp`. "Beside" means the
 * image's key in the output store, under the output's prefix; with the same bucket for both, they
 * stand beside the image itself, where others may have put files of their own: those are theirs
 * (see `ExistingRule`), also if they are put there at this moment.
 *
 * What is about to be written is recorded first, once an attempt: so that who finds a caption knows
 * whether it is ours, and `cutline withdraw` what to take away.
 *
 * @returns the rows. They name the sidecars that were kept or added to, and warn of those that the
 *   store cannot hold (a key that is too long, say).
 */
export async function writeSidecars(
  request: SidecarRequest,
  rows: readonly PartRow[],
): Promise<PartRow[]> {
  const { run, batch, attempt, prefix, kinds, rules } = request;
  const wanted = rows.filter((row): row is CaptionedRow => wantsSidecars(row, rules));
  if (kinds.length === 0 || wanted.length === 0) return [...rows];
  const before = await run.readSidecars(batch, attempt);
  const sidecars = await Promise.all(
    wanted.flatMap((row) =>
      kinds.map(async (kind): Promise<Sidecar> => {
        const key = `${prefix}${row.key}.${kind}`;
        const found = await look(run.store, key);
        const isOurs = (hash: string) => before?.get(key) === hash;
        const plan = planSidecar({ row, run: run.run, kind, rules }, found, isOurs);
        return { key, kind, row, plan };
      }),
    ),
  );
  if (!before) await run.createSidecars(batch, attempt, sidecars.flatMap(recordOf));
  const done = await Promise.all(sidecars.map((sidecar) => carryOut(run.store, sidecar)));
  return rows.map((row) => noteSidecars(row, sidecars, done));
}

function wantsSidecars(row: PartRow, { scoreMin }: SidecarRules): boolean {
  if (row.status !== 'captioned') return false;
  return scoreMin === null || (row.score !== null && row.score >= scoreMin);
}

/** By a HEAD first: where there is nothing, as nearly always, that is all. */
async function look(store: ObjectStore, key: string): Promise<FoundFile | 'too-large' | undefined> {
  try {
    if (!(await store.head(key))) return undefined;
    return await store.get(key, { bytesMax: fileBytesMax });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.reason === 'too-large') return 'too-large';
    // Gone meanwhile, or of a name that the store cannot hold: writing it will tell.
    if (error.reason === 'not-found' || error.reason === 'refused') return undefined;
    throw error;
  }
}

function recordOf({ key, plan }: Sidecar): SidecarRecord[] {
  if (plan.action === 'write') return [{ key, how: 'written', sha256: sha256(plan.bytes) }];
  if (plan.action === 'merge') return [{ key, how: 'merged', inserted: plan.inserted }];
  return [];
}

/** What became of a sidecar that is not plainly written. */
type Outcome = 'kept' | 'merged' | { warning: string } | undefined;

async function carryOut(store: ObjectStore, { key, kind, plan }: Sidecar): Promise<Outcome> {
  if (plan.action === 'none') return undefined;
  if (plan.action === 'keep') return 'kept';
  const condition = plan.etag === undefined ? { ifAbsent: true as const } : { ifMatch: plan.etag };
  try {
    await store.put(key, plan.bytes, { contentType: contentTypes[kind], ...condition });
    return plan.action === 'merge' ? 'merged' : undefined;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.reason === 'exists') return 'kept'; // somebody was at it in this moment
    if (error.reason === 'refused') {
      return { warning: `no .${kind} sidecar: ${describeError(error)}` };
    }
    throw error;
  }
}

function noteSidecars(
  row: PartRow,
  sidecars: readonly Sidecar[],
  done: readonly Outcome[],
): PartRow {
  if (row.status !== 'captioned') return row;
  const warnings = [...(row.warnings ?? [])];
  const outcomes: NonNullable<CaptionedRow['sidecars']> = {};
  for (const [index, { row: of, kind }] of sidecars.entries()) {
    const outcome = done[index];
    if (of !== row || outcome === undefined) continue;
    if (typeof outcome === 'string') outcomes[kind] = outcome;
    else warnings.push(outcome.warning);
  }
  return {
    ...row,
    ...(warnings.length > 0 && { warnings }),
    ...(Object.keys(outcomes).length > 0 && { sidecars: outcomes }),
  };
}
