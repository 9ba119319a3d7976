import type { RetryClass } from '@cutline/shared/errors';
import {
  addCounts,
  batchesOf,
  type Claim,
  continueRepeated,
  countParts,
  countRows,
  countToRetry,
  type FailedRow,
  failedRowSchema,
  generationOf,
  type ImageRef,
  imageName,
  imageToTry,
  isReopened,
  type Ledger,
  type Ledger3,
  type LedgerPart,
  listChunkParts,
  needsWork,
  type PartName,
  type PartRow,
  readAhead,
  readChunk,
  rowName,
  type SettledImage,
  type StoredPart,
  settleBatch,
  withoutFailures,
} from '@cutline/shared/run';
import { compareKeys } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { countByOutcome, countsOfOutcomes, partStep } from '../../board/run-progress.ts';
import { type ChunkContext, type ChunkState, ledgerPart } from './examine-chunk.ts';

/**
 * What a chunk has become since its ledger was written, of which failures are tried again: from what
 * the ledger says of them, and from the parts that are newer, without reading those in which nothing
 * changes.
 *
 * @param isOver whether nobody is at work on the chunk any more; else it is asked what newer parts
 *   there are only where somebody has tried before
 * @returns undefined where the chunk has to be held against all of its parts, as any other
 */
export async function examineReopened(
  context: ChunkContext,
  ledger: Ledger,
  isOver: boolean,
): Promise<ChunkState | undefined> {
  if (ledger.format !== 3) return undefined; // of a version that did not say which images failed
  const { runStore, run, claims } = context;
  const isRestored = ({ generation, retry }: Claim) =>
    generation > ledger.generation && countToRetry(ledger, retry.filter(isArchived)) > 0;
  if (claims.some(isRestored)) return undefined; // a ledger does not say which images those are
  const manifest = await readChunk(runStore, claims, ledger.chunk);
  if (manifest.name !== ledger.manifest.name) return undefined;
  const hasNewer = isOver || isReopened(ledger, claims.slice(0, -1));
  const newer = hasNewer ? await readNewer(context, ledger) : [];
  const change = new ChunkChange(context, ledger);
  for (const { batch, images } of batchesOf(ledger.chunk, manifest.images, run)) {
    const parts = newer.filter(({ name }) => name.batch === batch);
    const failures = await readFailures(context, ledger, batch, images);
    if (!failures || !change.add(batch, images, failures, parts)) return undefined;
  }
  return { images: manifest.images.length, ...change.end() };
}

function isArchived(name: RetryClass): boolean {
  return name === 'archived';
}

/** Parts of attempts that were begun after the ledger: what it does not name of others is void. */
async function readNewer(
  { runStore, run }: ChunkContext,
  { chunk, generation }: Ledger3,
): Promise<StoredPart[]> {
  const names = await listChunkParts(runStore, run, chunk);
  const limit = pLimit(readAhead);
  const read = async (name: PartName): Promise<StoredPart> => {
    const { rows, bytes } = await runStore.readPart(name);
    return { name, attempt: name.attempt, rows, bytes };
  };
  const newer = names.filter(({ attempt }) => generationOf(attempt) > generation);
  return Promise.all(newer.map((name) => limit(read, name)));
}

/** A failure that a ledger says of an image. */
interface LedgerFailure {
  /** Of the image in its batch. */
  place: number;
  entry: LedgerPart;
  attempt: string;
  row: FailedRow;
}

/** @returns undefined where a ledger says what cannot be */
async function readFailures(
  { runStore }: ChunkContext,
  { parts, usage }: Ledger3,
  batch: number,
  images: readonly ImageRef[],
): Promise<LedgerFailure[] | undefined> {
  const failures: LedgerFailure[] = [];
  for (const entry of parts) {
    const part = entry.failed && runStore.parsePartKey(runStore.prefix + entry.name);
    if (part?.batch !== batch) continue;
    // What answers took that were no captions is in their rows alone.
    const rows = usage ? (await runStore.readPart(part)).rows : undefined;
    for (const [failureClass, places] of Object.entries(entry.failed ?? {})) {
      for (const place of places) {
        const image = images[place];
        const row = image && (rows ? failedRow(rows, image) : rowOf(image, failureClass));
        if (!row) return undefined;
        failures.push({ place, entry, attempt: part.attempt, row });
      }
    }
  }
  return failures;
}

function failedRow(rows: readonly PartRow[], image: ImageRef): FailedRow | undefined {
  const row = rows.find((each) => rowName(each) === imageName(image));
  return row?.status === 'failed' ? row : undefined;
}

function rowOf({ key, etag }: ImageRef, failureClass: string): FailedRow {
  const failure = { class: failureClass, message: '' };
  return failedRowSchema.parse({ key, etag, status: 'failed', failure });
}

/** What becomes of a ledger when some of its failures go, and rows of newer parts come. */
class ChunkChange {
  readonly #context: ChunkContext;
  readonly #ledger: Ledger3;
  readonly #missing: ChunkState['missing'] = new Map();
  readonly #progress: ChunkState['progress'] = new Map();
  readonly #gone: LedgerFailure[] = [];
  readonly #rows: PartRow[] = [];
  readonly #parts: LedgerPart[] = [];

  constructor(context: ChunkContext, ledger: Ledger3) {
    this.#context = context;
    this.#ledger = ledger;
  }

  /** @returns false where a newer part is about an image that had not failed */
  add(
    batch: number,
    images: readonly ImageRef[],
    failures: readonly LedgerFailure[],
    newer: readonly StoredPart[],
  ): boolean {
    const names = new Set(failures.map(({ row }) => rowName(row)));
    if (newer.some(({ rows }) => rows.some((row) => !names.has(rowName(row))))) return false;
    const before = failures.map(({ attempt, row }) => ({ attempt, rows: [row] }));
    const settled = settleBatch(images, [...before, ...newer]);
    const found: SettledImage<StoredPart>[] = images.map((image) => ({
      ...{ image, row: undefined, part: undefined },
    }));
    const missing: ImageRef[] = [];
    for (const failure of failures.toSorted((a, b) => a.place - b.place)) {
      const each = settled[failure.place]!;
      const newPart = newer.find((part) => part === each.part);
      if (needsWork(each, this.#context.claims)) missing.push(imageToTry(each));
      else if (newPart) found[failure.place] = { ...each, part: newPart };
      else continue; // it stays as it is
      this.#gone.push(failure);
    }
    if (missing.length > 0) this.#missing.set(batch, missing);
    this.#addParts(newer, found);
    return true;
  }

  #addParts(newer: readonly StoredPart[], found: readonly SettledImage<StoredPart>[]): void {
    const counted = countParts(found);
    for (const part of newer) {
      const counts = counted.get(part);
      if (!counts) continue;
      const rows = found.flatMap((each) => (each.part === part && each.row ? [each.row] : []));
      for (const row of rows) this.#rows.push(row);
      this.#parts.push(ledgerPart(this.#context.runStore, part, counts));
      this.#progress.set(partStep(part.name), countByOutcome(rows));
    }
  }

  end(): Pick<ChunkState, 'missing' | 'content' | 'progress'> {
    const { chunk, generation, manifest, repeated = [] } = this.#ledger;
    const gone = this.#gone.map(({ row }) => row);
    const stays = withoutFailures(this.#ledger, gone);
    const counts = addCounts([stays, countRows(this.#rows)]);
    const left = this.#ledger.parts.flatMap((entry) => this.#withoutGone(entry));
    return {
      missing: this.#missing,
      progress: new Map([[`chunk:${chunk}`, countsOfOutcomes(stays)], ...this.#progress]),
      content: {
        manifest,
        ...counts,
        repeated: continueRepeated(repeated, this.#rows, counts.captioned),
        continues: generation,
        parts: [...left, ...this.#parts].toSorted((a, b) => compareKeys(a.name, b.name)),
      },
    };
  }

  #withoutGone({ failed, ...entry }: LedgerPart): LedgerPart[] {
    const gone = this.#gone.filter((each) => each.entry.name === entry.name);
    const images = entry.images - gone.length;
    const places = new Set(gone.map(({ place }) => place));
    const left = Object.entries(failed ?? {}).flatMap(([name, all]) => {
      const some = all.filter((place) => !places.has(place));
      return some.length > 0 ? [[name, some] as const] : [];
    });
    if (images === 0) return [];
    return [{ ...entry, images, ...(left.length > 0 && { failed: Object.fromEntries(left) }) }];
  }
}
