import {
  type Claim,
  type Counts,
  countParts,
  countRepeated,
  countRows,
  type ImageRef,
  imageToTry,
  type Ledger3,
  type LedgerPart,
  listChunkParts,
  needsWork,
  type PartRow,
  type Run,
  type RunStore,
  readChunk,
  type StoredPart,
  settleChunk,
  sha256,
} from '@cutline/shared/run';
import { countByOutcome, partStep } from '../board/run-progress.ts';

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

export type LedgerContent = Pick<
  Ledger3,
  keyof Counts | 'manifest' | 'repeated' | 'parts' | 'continues'
>;

export interface ChunkContext {
  runStore: RunStore;
  run: Run;
  claims: readonly Claim[];
}

/** Holds a chunk of the manifest against all parts that there are. */
export async function examineChunk(context: ChunkContext, chunk: number): Promise<ChunkState> {
  const { runStore, run, claims } = context;
  const manifest = await readChunk(runStore, claims, chunk);
  const missing = new Map<number, ImageRef[]>();
  const rows: PartRow[] = [];
  const parts: LedgerPart[] = [];
  const progress: ChunkState['progress'] = new Map();
  const names = await listChunkParts(runStore, run, chunk);
  const open = { chunk, images: manifest.images, parts: names };
  for await (const { batch, images, parts: read } of settleChunk(runStore, run, open)) {
    const wanting = images.filter((each) => needsWork(each, claims)).map(imageToTry);
    const staying = images.map((each) =>
      needsWork(each, claims) ? { ...each, row: undefined, part: undefined } : each,
    );
    if (wanting.length > 0) missing.set(batch, wanting);
    const counted = countParts(staying);
    for (const part of read) {
      const counts = counted.get(part);
      if (!counts) continue;
      const own = staying.flatMap((each) => (each.part === part && each.row ? [each.row] : []));
      for (const row of own) rows.push(row);
      parts.push(ledgerPart(runStore, part, counts));
      progress.set(partStep(part.name), countByOutcome(own));
    }
  }
  const { name, bytes, images } = manifest;
  const content: LedgerContent = {
    manifest: { name, sha256: sha256(bytes) },
    ...countRows(rows),
    repeated: countRepeated(rows),
    parts,
  };
  return { images: images.length, missing, content, progress };
}

export function ledgerPart(
  { prefix }: RunStore,
  { name, bytes }: Pick<StoredPart, 'name' | 'bytes'>,
  counts: Pick<LedgerPart, 'images' | 'failed'>,
): LedgerPart {
  return { name: name.key.slice(prefix.length), sha256: sha256(bytes), ...counts };
}
