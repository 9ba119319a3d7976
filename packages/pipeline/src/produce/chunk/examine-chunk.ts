import {
  type AttemptedRow,
  type Claim,
  type Counts,
  countParts,
  countRepeated,
  countRows,
  generationOf,
  type ImageRef,
  imageToTry,
  type Ledger,
  type Ledger3,
  type LedgerPart,
  ledgerParts,
  listChunkParts,
  needsWork,
  notAsNamed,
  type PartName,
  type PartRow,
  type Run,
  type RunStore,
  readChunk,
  readResultsFile,
  type StoredPart,
  settleChunk,
  sha256,
} from '@cutline/shared/run';
import { countByOutcome, countsOfOutcomes, partStep } from '../../board/run-progress.ts';

/** A chunk as its parts leave it. */
export interface ChunkState {
  /** Images in the manifest. */
  images: number;
  /** Images without a row, or with a failure that is to be retried, by batch. */
  missing: Map<number, ImageRef[]>;
  /** What a ledger says of the rows that count, and stay. */
  content: LedgerContent;
  /** What progress counts of them, by step. */
  progress: Map<string, Record<string, number>>;
}

/** Of a chunk all of whose rows were read. */
export interface WholeChunkState extends ChunkState {
  /** That count, and stay, in the order of the manifest. */
  rows: AttemptedRow[];
  /** All that there are of it. */
  parts: PartName[];
}

export type LedgerContent = Pick<
  Ledger3,
  keyof Counts | 'manifest' | 'repeated' | 'parts' | 'continues'
>;

export interface ChunkContext {
  runStore: RunStore;
  run: Run;
  claims: readonly Claim[];
}

/**
 * Holds a chunk of the manifest against all that there is of it: its parts; of one that was closed
 * before, what its ledger names and the parts that are newer. What the ledger does not name of older
 * ones is void.
 */
export async function examineChunk(
  context: ChunkContext,
  chunk: number,
  closedBy?: Ledger,
): Promise<WholeChunkState> {
  const { runStore, run, claims } = context;
  const manifest = await readChunk(runStore, claims, chunk);
  const missing = new Map<number, ImageRef[]>();
  const rows: AttemptedRow[] = [];
  const parts: LedgerPart[] = [];
  const progress: ChunkState['progress'] = new Map();
  const names = await listChunkParts(runStore, run, chunk);
  const before = closedBy?.format === 4 ? await readResultsFile(runStore, closedBy.results) : [];
  const named = new Map(
    (closedBy ? ledgerParts(closedBy) : []).map((part) => [
      runStore.prefix + part.name,
      part.sha256,
    ]),
  );
  const counting = wanted(names, closedBy, named);
  const open = { chunk, images: manifest.images, parts: counting, before };
  const earlier: PartRow[] = [];
  for await (const { batch, images, parts: read } of settleChunk(runStore, run, open)) {
    const wanting = images.filter((each) => needsWork(each, claims)).map(imageToTry);
    const staying = images.map((each) =>
      needsWork(each, claims) ? { ...each, row: undefined, part: undefined } : each,
    );
    if (wanting.length > 0) missing.set(batch, wanting);
    for (const { row, part } of staying) {
      if (row && part) rows.push({ row, attempt: part.attempt });
      if (row && part && !read.some((each) => each === part)) earlier.push(row);
    }
    const counted = countParts(staying);
    for (const part of read) {
      requireAsNamed(runStore, part, named);
      const counts = counted.get(part);
      if (!counts) continue;
      const own = staying.flatMap((each) => (each.part === part && each.row ? [each.row] : []));
      parts.push(ledgerPart(runStore, part, counts));
      progress.set(partStep(part.name), countByOutcome(own));
    }
  }
  if (before.length > 0) progress.set(`chunk:${chunk}`, countsOfOutcomes(countRows(earlier)));
  const { name, bytes, images } = manifest;
  const plain = rows.map(({ row }) => row);
  const content: LedgerContent = {
    manifest: { name, sha256: sha256(bytes) },
    ...countRows(plain),
    repeated: countRepeated(plain),
    parts,
  };
  return { images: images.length, missing, content, progress, rows, parts: names };
}

/** The parts whose rows may count. */
function wanted(
  names: readonly PartName[],
  closedBy: Ledger | undefined,
  named: ReadonlyMap<string, string>,
): readonly PartName[] {
  if (!closedBy) return names;
  const isNewer = ({ attempt }: PartName) => generationOf(attempt) > closedBy.generation;
  return names.filter((name) => isNewer(name) || named.has(name.key));
}

/** What has changed since is not taken up as if it had always said so: its parts may go. */
function requireAsNamed(
  { store }: RunStore,
  { name: { key }, bytes }: StoredPart,
  named: ReadonlyMap<string, string>,
): void {
  const expected = named.get(key);
  if (expected === undefined || expected === sha256(bytes)) return;
  throw notAsNamed(`${store.url}/${key}`);
}

export function ledgerPart(
  { prefix }: RunStore,
  { name, bytes }: Pick<StoredPart, 'name' | 'bytes'>,
  counts: Pick<LedgerPart, 'images' | 'failed'>,
): LedgerPart {
  return { name: name.key.slice(prefix.length), sha256: sha256(bytes), ...counts };
}
