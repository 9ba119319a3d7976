import type { CaptionedRow, ImageRef, PartRow, RunStore } from '@cutline/shared/run';
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
  const read = new Map<number, readonly PartRow[]>();
  for (const image of same) {
    if (image.sameAs === undefined) continue;
    let there = read.get(image.sameAs);
    if (!there) {
      there = await rowsOfBatch(await openRun(), image.sameAs);
      if (image.sameAs === batch) there = [...own, ...there];
      read.set(image.sameAs, there);
    }
    const original = there.find((row) => isOriginal(row, image, model));
    if (original) rows.push(copyOf(original as CaptionedRow, image));
  }
  return rows;
}

async function rowsOfBatch(run: RunStore, batch: number): Promise<PartRow[]> {
  const parts = await run.listParts(batch, batch + 1);
  const read = await Promise.all(parts.map((part) => run.readPart(part)));
  return read.flatMap(({ rows }) => rows);
}

function isOriginal(row: PartRow, { etag }: ImageRef, model: string): boolean {
  const isOfImage = row.status === 'captioned' && row.etag === etag && row.model === model;
  return isOfImage && row.duplicateOf === undefined;
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
