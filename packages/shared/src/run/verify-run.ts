import pLimit from 'p-limit';
import { describeError } from '../errors.ts';
import { StoreError } from '../stores/object-store.ts';
import { generationOfChunk } from './claim.ts';
import { addCounts, type Counts, countRows } from './counts.ts';
import { countParts, isReopened, type Ledger, type LedgerPart, sha256 } from './ledger.ts';
import { batchesOf, measureManifest, readChunk } from './manifest.ts';
import { type PartRow, parsePart } from './part.ts';
import { readAhead } from './read-results.ts';
import { countRepeated, findRepeated, type Repeated } from './repeated-captions.ts';
import { ReviewCheck } from './reviews/verify-reviews.ts';
import { ledgerStretches, type Run, type Summary3 } from './run.ts';
import { type RunState, readRunState } from './run-state.ts';
import type { RunStore } from './run-store.ts';
import { disagreement, settleBatch } from './settle.ts';
import { type UsageTotals, usageSchema } from './usage.ts';

/** What `verifyRun` held against each other. */
export interface Verification {
  /** One line each; none where all is well. */
  problems: string[];
  images: number;
  parts: number;
  chunks: number;
  /** Decisions of people. */
  decisions: number;
}

/**
 * Recomputes a finished run from the output store alone: every key of the manifest has exactly one
 * row that counts, every part is the one that its ledger hashed, every total is the sum of what it
 * is a total of. What people decided is about images and captions that are there.
 *
 * @param onProblem is told of each as it is found.
 * @throws UserError where there is no such run
 */
export async function verifyRun(
  runStore: RunStore,
  onProblem: (problem: string) => void = () => {},
): Promise<Verification> {
  const problems: string[] = [];
  const report = (problem: string) => {
    problems.push(problem);
    onProblem(problem);
  };
  const state = await readRunState(runStore);
  const { summary } = state;
  const manifest = await measureManifest(runStore, state.claims); // and not as the summary says it
  if (!summary) report(unfinished(state));
  if (manifest.images === null)
    report('the listing is not complete: there is no manifest/end.json');

  const reviews = await ReviewCheck.read(runStore, report);
  const ledgers = await runStore.listLedgers();
  const counts: (Counts & { repeated?: Repeated | undefined })[] = [];
  let parts = 0;
  for (let chunk = 0; chunk < manifest.chunks; chunk++) {
    const verified = await verifyChunk(runStore, state, chunk, ledgers.get(chunk), {
      report,
      onRow: (row) => reviews.see(row),
    });
    counts.push(verified.counts);
    parts += verified.parts;
  }
  if (ledgers.size === manifest.chunks) reviews.finish();
  const totals = addCounts(counts);
  if (manifest.images !== null && totals.images !== manifest.images) {
    report(`the manifest says ${manifest.images} images, its chunks have ${totals.images}`);
  }
  if (summary) {
    compare('summary.json', summary, totals, report);
    compareRepeated('summary.json', summary.repeated ?? [], findRepeated(counts), report);
    if (summary.parts !== parts) {
      report(`summary.json: parts is ${summary.parts}, the ledgers name ${parts}`);
    }
    if (summary.format === 3) compareSizes(summary, state.run, ledgers, report);
    if (summary.chunks !== manifest.chunks) {
      report(`summary.json: chunks is ${summary.chunks}, the manifest has ${manifest.chunks}`);
    }
  }
  const { decisions } = reviews;
  return { problems, images: totals.images, parts, chunks: manifest.chunks, decisions };
}

async function verifyChunk(
  runStore: RunStore,
  state: RunState,
  chunk: number,
  generation: number | undefined,
  { report, onRow }: { report: (problem: string) => void; onRow: (row: PartRow) => void },
): Promise<{ counts: Counts & { repeated?: Repeated | undefined }; parts: number }> {
  const nothing = { counts: countRows([]), parts: 0 };
  const manifest = await readOr(report, `chunk ${chunk} of the manifest`, () =>
    readChunk(runStore, state.claims, chunk),
  );
  if (!manifest) return nothing;
  if (generation === undefined) {
    report(`chunk ${chunk} has no ledger`);
    return nothing;
  }
  const name = runStore.ledgerName(chunk, generation);
  const ledger = await readOr(report, name, () => runStore.readLedger(chunk, generation));
  if (!ledger) return nothing;
  if (generation < generationOfChunk(state.claims, chunk) || isReopened(ledger, state.claims)) {
    report(`${name} is outdated: the chunk was opened again since`);
  }
  if (ledger.manifest.name !== manifest.name || ledger.manifest.sha256 !== sha256(manifest.bytes)) {
    report(`${manifest.name} is not the one that ${name} is about`);
  }

  const byBatch = await readParts(runStore, ledger, state.run.chunkBatches, report);
  const rows = [];
  const used = new Map<string, PartCounts>();
  for (const { batch, images } of batchesOf(chunk, manifest.images, state.run)) {
    const settled = settleBatch(images, byBatch.get(batch) ?? []);
    for (const [{ name: part }, counts] of countParts(settled)) used.set(part, counts);
    for (const { image, row } of settled) {
      if (row) {
        rows.push(row);
        onRow(row);
        const wrong = disagreement(image, row);
        if (wrong) report(`${JSON.stringify(image.key)} ${wrong}`);
      } else report(`${JSON.stringify(image.key)} has no row (batch ${batch})`);
    }
  }
  for (const part of ledger.parts) {
    if (!used.has(part.name)) report(`${name} names ${part.name}, of which no row counts`);
  }
  if (ledger.format === 3) compareParts(name, ledger.parts, used, report);
  const counts = countRows(rows);
  compare(name, ledger, counts, report);
  const { repeated } = ledger; // none where it was written before they were counted
  const goesOn = ledger.format === 3 && ledger.continues !== undefined;
  if (repeated && goesOn) requireNoMore(name, repeated, rows, report);
  else if (repeated) compareRepeated(name, repeated, countRepeated(rows), report);
  const counted = { ...counts, repeated, images: manifest.images.length };
  return { counts: counted, parts: ledger.parts.length };
}

/** The parts that a ledger names, by batch; each is told of that is not as it was. */
async function readParts(
  runStore: RunStore,
  ledger: Ledger,
  chunkBatches: number,
  report: (problem: string) => void,
): Promise<Map<number, { name: string; attempt: string; rows: ReturnType<typeof parsePart> }[]>> {
  const limit = pLimit(readAhead);
  const readPart = async ({ name, sha256: expected }: Ledger['parts'][number]) => {
    const part = runStore.parsePartKey(runStore.prefix + name);
    const isOfChunk = part && Math.floor(part.batch / chunkBatches) === ledger.chunk;
    if (!part || !isOfChunk) {
      report(`${name} is no part of chunk ${ledger.chunk}`);
      return undefined;
    }
    const rows = await readOr(report, name, async () => {
      const { bytes } = await runStore.store.get(part.key);
      if (sha256(bytes) !== expected) report(`${name} was changed: its SHA-256 is another`);
      return parsePart(bytes, name);
    });
    return rows && { batch: part.batch, name, attempt: part.attempt, rows };
  };
  const byBatch: Awaited<ReturnType<typeof readParts>> = new Map();
  const parts = await Promise.all(ledger.parts.map((part) => limit(readPart, part)));
  for (const part of parts) {
    if (part) byBatch.set(part.batch, [...(byBatch.get(part.batch) ?? []), part]);
  }
  return byBatch;
}

async function readOr<T>(
  report: (problem: string) => void,
  name: string,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const isOutage =
      error instanceof StoreError && !['not-found', 'access-denied'].includes(error.reason);
    if (isOutage) throw error;
    report(`${name} cannot be read: ${describeError(error)}`);
    return undefined;
  }
}

function compare(
  name: string,
  said: Counts,
  found: Counts,
  report: (problem: string) => void,
): void {
  for (const field of ['images', 'captioned', 'skipped', 'failed'] as const) {
    if (said[field] !== found[field]) {
      report(`${name}: ${field} is ${said[field]}, counted ${found[field]}`);
    }
  }
  for (const field of ['skippedByReason', 'failedByClass'] as const) {
    for (const each of new Set([...Object.keys(said[field]), ...Object.keys(found[field])])) {
      const [a, b] = [said[field][each] ?? 0, found[field][each] ?? 0];
      if (a !== b) report(`${name}: ${field} ${each} is ${a}, counted ${b}`);
    }
  }
  for (const field of ['blank', 'duplicates'] as const) {
    const [a, b] = [said[field] ?? 0, found[field] ?? 0];
    if (a !== b) report(`${name}: ${field} is ${a}, counted ${b}`);
  }
  for (const field of ['kept', 'merged'] as const) {
    const [a, b] = [said.sidecars?.[field] ?? 0, found.sidecars?.[field] ?? 0];
    if (a !== b) report(`${name}: sidecars.${field} is ${a}, counted ${b}`);
  }
  for (const field of ['answers', ...Object.keys(usageSchema.shape)] as (keyof UsageTotals)[]) {
    const [a, b] = [said.usage?.[field] ?? 0, found.usage?.[field] ?? 0];
    if (a !== b) report(`${name}: usage.${field} is ${a}, counted ${b}`);
  }
}

function compareRepeated(
  name: string,
  said: Repeated,
  found: Repeated,
  report: (problem: string) => void,
): void {
  const imagesOf = (list: Repeated) => new Map(list.map((each) => [each.caption, each.images]));
  const [a, b] = [imagesOf(said), imagesOf(found)];
  for (const caption of new Set([...a.keys(), ...b.keys()])) {
    const [one, other] = [a.get(caption) ?? 0, b.get(caption) ?? 0];
    if (one === other) continue;
    report(`${name}: repeated ${JSON.stringify(caption)} is ${one}, counted ${other}`);
  }
}

/** Where failures were tried again, captions may have been counted too low, never too high. */
function requireNoMore(
  name: string,
  said: Repeated,
  rows: readonly PartRow[],
  report: (problem: string) => void,
): void {
  const found = new Map<string, number>();
  for (const row of rows) {
    if (row.status === 'captioned') found.set(row.caption, (found.get(row.caption) ?? 0) + 1);
  }
  for (const { caption, images } of said) {
    const counted = found.get(caption) ?? 0;
    if (images <= counted) continue;
    report(`${name}: repeated ${JSON.stringify(caption)} is ${images}, counted ${counted}`);
  }
}

type PartCounts = Pick<LedgerPart, 'images' | 'failed'>;

function compareParts(
  name: string,
  said: readonly LedgerPart[],
  found: ReadonlyMap<string, PartCounts>,
  report: (problem: string) => void,
): void {
  for (const { name: part, images, failed = {} } of said) {
    const counted = found.get(part);
    if (!counted) continue; // that none of its rows counts is a problem of its own
    const classes = new Set([...Object.keys(failed), ...Object.keys(counted.failed ?? {})]);
    const isSame = [...classes].every(
      (each) => String(failed[each]) === String(counted.failed?.[each]),
    );
    if (images === counted.images && isSame) continue;
    report(
      `${name}: of ${part} it says ${describeCounts({ images, failed })}, counted ` +
        describeCounts(counted),
    );
  }
}

function describeCounts({ images, failed = {} }: PartCounts): string {
  const places = Object.entries(failed).map(([name, all]) => `, ${name} at ${all.join(' ')}`);
  return `${images} images${places.join('')}`;
}

function compareSizes(
  summary: Summary3,
  run: Run,
  ledgers: ReadonlyMap<number, number>,
  report: (problem: string) => void,
): void {
  for (const field of ['batchSize', 'chunkBatches'] as const) {
    if (summary[field] !== run[field]) {
      report(`summary.json: ${field} is ${summary[field]}, run.json says ${run[field]}`);
    }
  }
  const inOrder = [...ledgers].toSorted(([a], [b]) => a - b);
  const latest = ledgerStretches(inOrder.map(([, generation]) => generation));
  if (JSON.stringify(summary.ledgers) !== JSON.stringify(latest)) {
    report('summary.json names other ledgers than the latest of each chunk');
  }
}

function unfinished({ isCancelled, lastSummary }: RunState): string {
  if (isCancelled) return 'the run was cancelled and is not finished';
  if (lastSummary) return 'the run goes on: summary.json is of an older generation';
  return 'the run is not finished: there is no summary.json';
}
