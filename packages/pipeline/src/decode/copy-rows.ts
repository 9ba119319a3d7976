import {
  type CaptionedRow,
  findInFile,
  findInParts,
  type ImageRef,
  type PartRow,
  type RunStore,
} from '@cutline/shared/run';
import type { DecodeJob } from '../jobs.ts';

/**
 * The rows of images that have the content of others, as far as these are captioned: with their
 * caption, and whose it is. Those of which there is none yet have no row, and are looked for again
 * with the remainder of the batch, or captioned themselves in the end.
 *
 * @param own rows of this attempt, in which an original may be
 */
export async function copyRows(
  openRun: () => Promise<RunStore>,
  { batch, same = [], model }: DecodeJob,
  own: readonly PartRow[],
): Promise<PartRow[]> {
  const rows: PartRow[] = [];
  const places = [findInParts, findInFile].map((find) => onceEach(openRun, find));
  for (const image of same) {
    const { sameAs } = image;
    if (sameAs === undefined) continue;
    const isWanted = (row: PartRow) => isOriginal(row, image, model);
    let original = sameAs === batch ? own.find(isWanted) : undefined;
    for (const rowsOf of places) original ??= (await rowsOf(sameAs)).find(isWanted);
    if (original) rows.push(copyOf(original as CaptionedRow, image));
  }
  return rows;
}

/** Copies are mostly of a few batches. */
function onceEach(
  openRun: () => Promise<RunStore>,
  find: (run: RunStore, batch: number) => Promise<PartRow[]>,
): (batch: number) => Promise<PartRow[]> {
  const found = new Map<number, PartRow[]>();
  return async (batch) => {
    const rows = found.get(batch) ?? (await find(await openRun(), batch));
    found.set(batch, rows);
    return rows;
  };
}

/** Not the image's own row, of an attempt that captioned it: that stands for itself. */
function isOriginal(row: PartRow, { key, etag }: ImageRef, model: string): boolean {
  const isOfOther = row.status === 'captioned' && row.key !== key && row.duplicateOf === undefined;
  return isOfOther && row.etag === etag && row.model === model;
}

/** What is about the files beside the original, and what its answer took, stays with it. */
function copyOf(original: CaptionedRow, { key, etag, source }: ImageRef): CaptionedRow {
  const {
    key: duplicateOf,
    source: _,
    sidecars: __,
    usage: ___,
    warnings = [],
    ...said
  } = original;
  const isBlank = warnings.includes('blank');
  return {
    ...said,
    ...{ key, etag, duplicateOf },
    ...(source && { source }),
    ...(isBlank && { warnings: ['blank'] }),
  };
}
