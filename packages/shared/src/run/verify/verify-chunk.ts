import pLimit from 'p-limit';
import { describeError } from '../../errors.ts';
import { StoreError } from '../../stores/object-store.ts';
import { attemptSchema } from '../attempt.ts';
import { generationOf, generationOfChunk } from '../claim.ts';
import { type Counts, countRows } from '../counts.ts';
import type { ImageRef } from '../image-ref.ts';
import {
  countParts,
  isReopened,
  type Ledger,
  type Ledger4,
  type LedgerPart,
  ledgerParts,
  sha256,
} from '../ledger.ts';
import { batchesOf, type ReadChunk, readChunk } from '../manifest.ts';
import { type PartRow, parsePart } from '../part.ts';
import { countRepeated, type Repeated } from '../repeated-captions.ts';
import { readAhead } from '../results/in-turn.ts';
import { parseResults } from '../results/results-file.ts';
import type { AttemptedRow } from '../results/row-columns.ts';
import type { RunState } from '../run-state.ts';
import type { RunStore } from '../run-store.ts';
import { disagreement, imageName, rowName, settleBatch } from '../settle.ts';
import { compareCounts, compareRepeated, type Report, requireNoMore } from './compare-counts.ts';

/** Recomputes the ledger of one chunk from its rows: in parts, or in one file. */

export async function verifyChunk(
  runStore: RunStore,
  state: RunState,
  chunk: number,
  generation: number | undefined,
  { report, onRow }: { report: Report; onRow: (row: PartRow) => void },
): Promise<{
  counts: Counts & { repeated?: Repeated | undefined };
  parts: number;
  files: number;
}> {
  const nothing = { counts: countRows([]), parts: 0, files: 0 };
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
  const rows =
    ledger.format === 4
      ? await readFileRows(runStore, ledger, manifest, report)
      : await readPartRows(runStore, state, ledger, manifest, report);
  for (const row of rows) onRow(row);
  const counts = countRows(rows);
  compareCounts(name, ledger, counts, report);
  const { repeated } = ledger; // none where it was written before they were counted
  const goesOn = ledger.format === 3 && ledger.continues !== undefined;
  if (repeated && goesOn) requireNoMore(name, repeated, rows, report);
  else if (repeated) compareRepeated(name, repeated, countRepeated(rows), report);
  const counted = { ...counts, repeated, images: manifest.images.length };
  const files = ledger.format === 4 ? 1 : 0;
  return { counts: counted, parts: ledgerParts(ledger).length, files };
}

/** The rows of a chunk that is compacted: of each image one, in the order of the manifest. */
async function readFileRows(
  runStore: RunStore,
  { chunk, generation, results }: Ledger4,
  { images }: ReadChunk,
  report: Report,
): Promise<PartRow[]> {
  const { name } = results;
  const all = await readOr(report, name, async () => {
    const { bytes } = await runStore.store.get(runStore.prefix + name);
    if (sha256(bytes) !== results.sha256) {
      report(`${name} was changed: its SHA-256 is another`);
      return undefined; // what it says now is not decoded: see `getResultsFile`
    }
    if (bytes.length !== results.bytes) {
      report(`${name} has ${bytes.length} bytes, its ledger says ${results.bytes}`);
    }
    return parseResults(bytes);
  });
  if (!all) return [];
  if (all.length !== images.length) {
    report(`${name} has ${all.length} rows, chunk ${chunk} has ${images.length} images`);
  }
  for (const [at, image] of images.entries()) requireRow(name, generation, image, all[at], report);
  return all.map(({ row }) => row);
}

function requireRow(
  name: string,
  generation: number,
  image: ImageRef,
  found: AttemptedRow | undefined,
  report: Report,
): void {
  const key = JSON.stringify(image.key);
  if (!found || rowName(found.row) !== imageName(image)) report(`${key} has no row in ${name}`);
  else requireAgreement(image, found.row, report);
  if (!found) return;
  if (!attemptSchema.safeParse(found.attempt).success) {
    report(`${name}: ${key} has a row of "${found.attempt}", which is no attempt`);
  } else if (generationOf(found.attempt) > generation) {
    report(`${name}: ${key} has a row of attempt ${found.attempt}, which is later than its ledger`);
  }
}

function requireAgreement(image: ImageRef, row: PartRow, report: Report): void {
  const wrong = disagreement(image, row);
  if (wrong) report(`${JSON.stringify(image.key)} ${wrong}`);
}

/** The rows of a chunk that is in parts; what its ledger says of each part is held against it. */
async function readPartRows(
  runStore: RunStore,
  { run }: RunState,
  ledger: Exclude<Ledger, Ledger4>,
  manifest: ReadChunk,
  report: Report,
): Promise<PartRow[]> {
  const name = runStore.ledgerName(ledger.chunk, ledger.generation);
  const byBatch = await readParts(runStore, ledger, run.chunkBatches, report);
  const rows: PartRow[] = [];
  const used = new Map<string, PartCounts>();
  for (const { batch, images } of batchesOf(ledger.chunk, manifest.images, run)) {
    const settled = settleBatch(images, byBatch.get(batch) ?? []);
    for (const [{ name: part }, counts] of countParts(settled)) used.set(part, counts);
    for (const { image, row } of settled) {
      if (row) {
        rows.push(row);
        requireAgreement(image, row, report);
      } else report(`${JSON.stringify(image.key)} has no row (batch ${batch})`);
    }
  }
  for (const part of ledger.parts) {
    if (!used.has(part.name)) report(`${name} names ${part.name}, of which no row counts`);
  }
  if (ledger.format === 3) compareParts(name, ledger.parts, used, report);
  return rows;
}

/** The parts that a ledger names, by batch; each is told of that is not as it was. */
async function readParts(
  runStore: RunStore,
  ledger: Exclude<Ledger, Ledger4>,
  chunkBatches: number,
  report: Report,
): Promise<Map<number, { name: string; attempt: string; rows: ReturnType<typeof parsePart> }[]>> {
  const limit = pLimit(readAhead);
  const readPart = async ({ name, sha256: expected }: ReturnType<typeof ledgerParts>[number]) => {
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
  report: Report,
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

type PartCounts = Pick<LedgerPart, 'images' | 'failed'>;

function compareParts(
  name: string,
  said: readonly LedgerPart[],
  found: ReadonlyMap<string, PartCounts>,
  report: Report,
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
