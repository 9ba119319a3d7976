import {
  batchesOf,
  type ImageRef,
  type PartName,
  type PartRow,
  type RunStore,
  readChunk,
} from '@cutline/shared/run';

/** A batch of the manifest, held against its parts. */
export interface ReconciledBatch {
  batch: number;
  images: ImageRef[];
  /** `kept` are the rows that count: the others are of images that have a row elsewhere. */
  parts: { name: PartName; rows: PartRow[]; kept: PartRow[] }[];
  /** The row of each image that has one; where there are two, a caption wins. */
  rows: Map<string, PartRow>;
  /** Images without a row. */
  missing: ImageRef[];
}

/** Holds the batches of one chunk against the parts that exist, a few reads at a time. */
export async function* reconcileChunk(
  run: RunStore,
  chunk: number,
  options: { batchSize: number; parts: ReadonlyMap<number, PartName[]> },
): AsyncGenerator<ReconciledBatch> {
  const readAhead = 16;
  const pending: Promise<ReconciledBatch>[] = [];
  for (const { batch, images } of batchesOf(
    chunk,
    await readChunk(run, chunk),
    options.batchSize,
  )) {
    pending.push(reconcileBatch(run, batch, images, options.parts.get(batch) ?? []));
    if (pending.length >= readAhead) yield await pending.shift()!;
  }
  for (const batch of pending) yield await batch;
}

async function reconcileBatch(
  run: RunStore,
  batch: number,
  images: ImageRef[],
  names: PartName[],
): Promise<ReconciledBatch> {
  const found = await Promise.all(
    names.map(async (name) => ({ name, rows: await run.readPart(name) })),
  );
  const rows = new Map<string, PartRow>();
  for (const row of found.flatMap((part) => part.rows)) {
    const other = rows.get(rowName(row));
    if (other?.status !== 'captioned') rows.set(rowName(row), row);
  }
  const parts = found.map((part) => ({
    ...part,
    kept: part.rows.filter((row) => rows.get(rowName(row)) === row),
  }));
  const missing = images.filter((image) => !rows.has(imageName(image)));
  return { batch, images, parts, rows, missing };
}

/** A key may be listed twice: once to be captioned, and again to be skipped as a duplicate. */
function imageName({ key, skipped }: ImageRef): string {
  return skipped ? `${skipped} ${key}` : `- ${key}`;
}

function rowName(row: PartRow): string {
  return row.status === 'skipped' ? `${row.reason} ${row.key}` : `- ${row.key}`;
}
