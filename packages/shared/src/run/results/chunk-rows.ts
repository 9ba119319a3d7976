import { StoreError } from '../../stores/object-store.ts';
import type { ImageRef } from '../image-ref.ts';
import { type Ledger, type Ledger3, type Ledger4, ledgerParts } from '../ledger.ts';
import { readChunk, readNamedChunk } from '../manifest.ts';
import { ledgerGeneration } from '../run.ts';
import type { RunState } from '../run-state.ts';
import type { PartName, RunStore } from '../run-store.ts';
import { getResultsFile, type ResultsFilter, ResultsReader } from './results-file.ts';
import type { AttemptedRow } from './row-columns.ts';
import { type BatchSizes, listChunkParts, ofBatch, settle } from './settle-chunk.ts';

/**
 * Where the rows of a chunk stand, for those who read them: in one file where it is compacted, else
 * in the parts that its ledger names, else in all the parts that there are.
 *
 * A chunk may be closed, or compacted, while it is read. What is gone then has been taken up into
 * what the latest ledger names, and is read from there.
 */

/** What readers of results have to know of a run: see `readRunState`, `glanceAtRun`. */
export type ReadableRun = Pick<RunState, 'claims' | 'manifest' | 'summary'> & { run: BatchSizes };

/** A row that counts. */
export interface SettledRow extends AttemptedRow {
  place: RowPlace;
}

/** Where a row stands; to have it again, without all others: `RowReader`. */
export interface RowPlace {
  chunk: number;
  /** Of its image in the chunk, from 0. */
  image: number;
  /** Of a chunk that is not compacted: where it stands in which part. */
  part?: PartName & { line: number };
}

/** Rows of a batch, in its order: none of images that have none yet. */
export interface RowsOfBatch {
  batch: number;
  rows: SettledRow[];
}

export interface ChunkRows {
  isCompacted: boolean;
  /** One a batch. */
  reads: (() => Promise<RowsOfBatch>)[];
}

export async function openChunkRows(
  runStore: RunStore,
  state: ReadableRun,
  chunk: number,
  filter?: ResultsFilter,
): Promise<ChunkRows> {
  const { batchSize, chunkBatches } = state.run;
  const wanted = { chunk, filter };
  let source = await openSource(runStore, state, wanted);
  let reopening: Promise<Source> | undefined;
  const read = async (place: number): Promise<RowsOfBatch> => {
    const batch = chunk * chunkBatches + place;
    const { generation } = source;
    try {
      return { batch, rows: await source.read(place) };
    } catch (error) {
      if (!isGone(error)) throw error;
      reopening ??= reopen(runStore, state, wanted, { generation, error });
      source = await reopening;
      return { batch, rows: await source.read(place) };
    }
  };
  const batches = Math.ceil(source.images / batchSize);
  const reads = Array.from({ length: batches }, (_, place) => () => read(place));
  return { isCompacted: source.isCompacted, reads };
}

/** Rows of one chunk, as they stood when it was opened. */
interface Source {
  images: number;
  /** Of the ledger that says so; undefined where there is none. */
  generation: number | undefined;
  isCompacted: boolean;
  read: (place: number) => Promise<SettledRow[]>;
}

interface Wanted {
  chunk: number;
  /** Of a chunk that is compacted; of others, all rows are given. */
  filter: ResultsFilter | undefined;
}

async function openSource(runStore: RunStore, state: ReadableRun, wanted: Wanted): Promise<Source> {
  const ledger = await findChunkLedger(runStore, state, wanted.chunk);
  try {
    const source = await sourceOf(runStore, state, wanted, ledger);
    if (ledger) return source;
    // Some of its parts may have been gone when they were listed: the ledger was there before.
    const since = await runStore.findLedger(wanted.chunk);
    if (since === undefined) return source;
    return await sourceOf(runStore, state, wanted, await runStore.readLedger(wanted.chunk, since));
  } catch (error) {
    if (!isGone(error)) throw error;
    return reopen(runStore, state, wanted, { generation: ledger?.generation, error });
  }
}

/** By the latest ledger, which must be another. @throws the error, where there is no other */
async function reopen(
  runStore: RunStore,
  state: ReadableRun,
  wanted: Wanted,
  before: { generation: number | undefined; error: unknown },
): Promise<Source> {
  const latest = await runStore.findLedger(wanted.chunk);
  if (latest === undefined || latest === before.generation) throw before.error;
  const ledger = await runStore.readLedger(wanted.chunk, latest);
  return sourceOf(runStore, state, wanted, ledger);
}

export function isGone(error: unknown): boolean {
  return error instanceof StoreError && error.reason === 'not-found';
}

async function findChunkLedger(
  runStore: RunStore,
  { summary }: ReadableRun,
  chunk: number,
): Promise<Ledger | undefined> {
  const generation =
    summary?.format === 3 ? ledgerGeneration(summary, chunk) : await runStore.findLedger(chunk);
  return generation === undefined ? undefined : runStore.readLedger(chunk, generation);
}

function sourceOf(
  runStore: RunStore,
  state: ReadableRun,
  { chunk, filter }: Wanted,
  ledger: Ledger | undefined,
): Promise<Source> {
  return ledger?.format === 4
    ? openFile(runStore, state, ledger, filter)
    : openParts(runStore, state, chunk, ledger);
}

/** Fetched at once, and decoded as its rows are wanted. */
async function openFile(
  runStore: RunStore,
  { run: { batchSize } }: ReadableRun,
  { chunk, generation, images, results }: Ledger4,
  filter: ResultsFilter | undefined,
): Promise<Source> {
  const bytes = await getResultsFile(runStore, results);
  const file = new ResultsReader(runStore, results.name, bytes, filter);
  const read = async (place: number): Promise<SettledRow[]> => {
    const start = place * batchSize;
    const rows = await file.read(start, start + batchSize);
    return rows.map(({ row, attempt, image }) => ({ row, attempt, place: { chunk, image } }));
  };
  return { images, generation, isCompacted: true, read };
}

async function openParts(
  runStore: RunStore,
  state: ReadableRun,
  chunk: number,
  ledger: Exclude<Ledger, Ledger4> | undefined,
): Promise<Source> {
  const { batchSize, chunkBatches } = state.run;
  let opened: Promise<{ images: readonly ImageRef[]; parts: PartName[] }> | undefined;
  const open = () => {
    opened ??= findParts(runStore, state, chunk, ledger);
    return opened;
  };
  const readSettled = async (place: number): Promise<SettledRow[]> => {
    const { images, parts } = await open();
    const start = place * batchSize;
    const refs = images.slice(start, start + batchSize);
    const batch = chunk * chunkBatches + place;
    const settled = await settle(runStore, batch, refs, { names: ofBatch(parts, batch) });
    return settled.images.flatMap(({ row, part }, at) => {
      const name = settled.parts.find((each) => each === part)?.name;
      if (!row || !part || !name) return [];
      const line = part.rows.indexOf(row);
      const place = { chunk, image: start + at, part: { ...name, line } };
      return [{ row, attempt: part.attempt, place }];
    });
  };
  const images = ledger ? ledger.images : (await open()).images.length;
  const whole = ledger?.format === 3 ? wholeBatches(runStore, ledger, state.run) : undefined;
  const read = async (place: number): Promise<SettledRow[]> => {
    const part = whole?.get(chunk * chunkBatches + place);
    if (!part) return readSettled(place);
    const { rows } = await runStore.readPart(part);
    const start = place * batchSize;
    if (rows.length !== Math.min(batchSize, images - start)) return readSettled(place);
    const { attempt } = part;
    return rows.map((row, line) => {
      const place = { chunk, image: start + line, part: { ...part, line } };
      return { row, attempt, place };
    });
  };
  return { images, generation: ledger?.generation, isCompacted: false, read };
}

/** The batches all of whose rows stand in one part: there, they are in the batch's order. */
function wholeBatches(
  runStore: RunStore,
  { chunk, images, parts }: Ledger3,
  { batchSize, chunkBatches }: BatchSizes,
): Map<number, PartName> {
  const whole = new Map<number, PartName>();
  for (const entry of parts) {
    const part = runStore.parsePartKey(runStore.prefix + entry.name);
    const place = part ? part.batch - chunk * chunkBatches : 0;
    const isWhole = entry.images === Math.min(batchSize, images - place * batchSize);
    if (part && isWhole) whole.set(part.batch, part);
  }
  return whole;
}

async function findParts(
  runStore: RunStore,
  state: ReadableRun,
  chunk: number,
  ledger: Ledger | undefined,
): Promise<{ images: readonly ImageRef[]; parts: PartName[] }> {
  // Of a finished run, ledgers are about the chunks that count.
  const [{ images }, parts] = await Promise.all([
    ledger && state.summary
      ? readNamedChunk(runStore, ledger.manifest.name)
      : readChunk(runStore, state.claims, chunk),
    ledger
      ? ledgerParts(ledger).flatMap(
          ({ name }) => runStore.parsePartKey(runStore.prefix + name) ?? [],
        )
      : listChunkParts(runStore, state.run, chunk),
  ]);
  return { images, parts };
}
