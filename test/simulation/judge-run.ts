import {
  countRows,
  type PartRow,
  type Run,
  type RunStore,
  readResults,
  readRunState,
  verifyRun,
} from '@cutline/shared/run';
import { type SimulatedArchive, short } from './simulated-archive.ts';
import { sources } from './simulated-cutline.ts';
import { isCaptionOf } from './simulated-model.ts';
import type { SimulatedPeople } from './simulated-people.ts';

/** Holds a finished run against the archive. @returns what is wrong, one line each. */
export async function judgeRun(
  runStore: RunStore,
  archive: SimulatedArchive,
  people: SimulatedPeople,
): Promise<string[]> {
  const { problems } = await verifyRun(runStore);
  const violations = problems.map((problem) => `verify: ${problem}`);
  const { run, summary } = await readRunState(runStore);
  const rows = await readRows(runStore);
  const counts = countRows(rows);
  for (const outcome of ['captioned', 'skipped', 'failed'] as const) {
    if (summary && counts[outcome] !== summary[outcome]) {
      violations.push(
        `${summary[outcome]} ${outcome} says the summary, and ${counts[outcome]} are`,
      );
    }
  }
  const isOther = run.source.store !== sources[0];
  if (!isOther) violations.push(...judgeKeys(rows, archive));
  for (const row of rows) {
    const wrong = isOther
      ? judgeOther(row)
      : (judgeRow(row, archive) ?? judgeCopy(row, run, archive));
    if (wrong) violations.push(`${short(row.key)} ${wrong}`);
  }
  violations.push(...(await people.judge(run, rows)));
  return violations;
}

/**
 * Holds a run that decoded the features of another against that: what was captioned has its caption
 * again, whatever its own workers died of; what failed before it was decoded fails in the same way.
 * @param first the rows of the run that kept them
 */
export async function judgeDecoded(
  runStore: RunStore,
  first: readonly PartRow[],
  { kinds, copies }: SimulatedArchive,
): Promise<string[]> {
  const { problems } = await verifyRun(runStore);
  const violations = problems.map((problem) => `verify: ${problem}`);
  const rows = await readRows(runStore);
  if (rows.length !== first.length) {
    return [...violations, `decoded again, ${first.length} images have ${rows.length} rows`];
  }
  for (const [n, row] of rows.entries()) {
    const was = first[n]!;
    const content = copies.get(row.key) ?? row.key;
    const wrong = judgeAgain(row, was, { content, isStrange: kinds.get(row.key) === 'strange' });
    if (row.key !== was.key || wrong) violations.push(`decoded again, ${short(row.key)} ${wrong}`);
  }
  return violations;
}

/** @param content the key that its caption is made of */
function judgeAgain(
  row: PartRow,
  was: PartRow,
  { content, isStrange }: { content: string; isStrange: boolean },
): string | undefined {
  if (row.status === 'captioned') {
    const keys = [row.key, content, 'another archive'].filter(
      (key) => was.status !== 'captioned' || isCaptionOf(was.caption, key),
    );
    const isRight = keys.some((key) => isCaptionOf(row.caption, key));
    return isRight ? undefined : 'has the caption of another image';
  }
  if (row.status === 'skipped') return was.status === 'skipped' ? undefined : 'is skipped';
  const { class: failure, message } = row.failure;
  if (failure === 'worker-lost' || (failure === 'internal' && isStrange)) return undefined;
  if (was.status === 'failed' && was.failure.class === failure) return undefined;
  return `failed as ${failure} (${message}), and was ${was.status}`;
}

/** The rows that count, in the order of the manifest. */
export async function readRows(runStore: RunStore): Promise<PartRow[]> {
  const rows: PartRow[] = [];
  for await (const some of readResults(runStore, await readRunState(runStore))) rows.push(...some);
  return rows;
}

/** Each key has one row, and one more for each time that a list repeats it. */
function judgeKeys(rows: readonly PartRow[], archive: SimulatedArchive): string[] {
  const violations: string[] = [];
  for (const [key, times] of archive.listed) {
    const own = rows.filter((row) => row.key === key);
    const repeats = own.filter((row) => row.status === 'skipped' && row.reason === 'duplicate');
    // What was deleted before it was listed is not in the run.
    if (own.length === 0 && archive.keysFrom === null && archive.disturbed.has(key)) continue;
    if (own.length !== times || repeats.length !== times - 1) {
      violations.push(
        `${short(key)} was listed ${times} times and has ${own.length} rows, ` +
          `${repeats.length} of them for repeats`,
      );
    }
  }
  for (const { key } of rows) {
    if (!archive.listed.has(key)) violations.push(`${short(key)} has a row and was not listed`);
  }
  return violations;
}

function judgeOther(row: PartRow): string | undefined {
  if (row.status !== 'captioned' || isCaptionOf(row.caption, 'another archive')) return;
  return 'has the caption of another image';
}

/** What is copied is the caption of an image of the same content, where that was asked for. */
function judgeCopy(
  row: PartRow,
  { duplicates }: Run,
  { copies }: SimulatedArchive,
): string | undefined {
  if (row.status !== 'captioned' || row.duplicateOf === undefined) return undefined;
  if (!duplicates) return 'is a copy, and nobody asked for such';
  const contentOf = (key: string) => copies.get(key) ?? key;
  const isSame = contentOf(row.duplicateOf) === contentOf(row.key) && row.duplicateOf !== row.key;
  return isSame ? undefined : `is said to be a copy of ${short(row.duplicateOf)}`;
}

function judgeRow(
  row: PartRow,
  { kinds, copies, disturbed }: SimulatedArchive,
): string | undefined {
  const kind = disturbed.has(row.key) ? 'disturbed' : kinds.get(row.key);
  if (row.status === 'captioned') {
    const keys = [row.key, copies.get(row.key) ?? row.key];
    if (!keys.some((key) => isCaptionOf(row.caption, key)))
      return 'has the caption of another image';
    if (kind !== undefined && ['corrupt', 'strange', 'text'].includes(kind)) {
      return `is ${kind} and has a caption`;
    }
  }
  if (row.status === 'skipped' && row.reason === 'not-an-image') {
    const isFair = kinds.get(row.key) === 'text' || row.key === 'notes.txt';
    if (!isFair) return 'is skipped as no image';
  }
  if (row.status === 'failed') {
    const { class: failure, message } = row.failure;
    const isFair =
      failure === 'unavailable' ||
      failure === 'worker-lost' ||
      (failure === 'corrupt' && kinds.get(row.key) === 'corrupt') ||
      (failure === 'internal' && kinds.get(row.key) === 'strange') ||
      ((failure === 'not-found' || failure === 'changed') && kind === 'disturbed');
    if (!isFair) return `failed as ${failure}: ${message}`;
  }
  return undefined;
}
