import { Readable } from 'node:stream';
import type { CaptionedRow } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import type { RowBatches } from './columns.ts';
import { annotationPage, formatPage, isOwnPage, type PagePlaces } from './iiif.ts';

/** What became of the pages. */
export interface PagesWritten {
  written: number;
  /** There already, and as they should be. */
  unchanged: number;
  /** Of somebody else, or edited by somebody: they stay. */
  kept: number;
  /** Keys that the store cannot hold (`..` in a folder, say). */
  refused: number;
}

/** What a page is called, beside the key of its image. */
export const pageEnding = '.annotations.json';

/** Pages being written at once. */
const atOnce = 16;

/** More than a page of ours has. */
const pageBytesMax = 2 ** 20;

/**
 * Writes an annotation page for each captioned image, `<prefix><key>.annotations.json`.
 *
 * @param created of the run
 * @throws StoreError where the store cannot be written to
 */
export async function writePages(
  rows: RowBatches,
  { store, prefix }: { store: ObjectStore; prefix: string },
  { placesOf, created }: { placesOf: (key: string) => PagePlaces; created: string },
): Promise<PagesWritten> {
  const outcomes: PagesWritten = { written: 0, unchanged: 0, kept: 0, refused: 0 };
  await Readable.from(captionedOf(rows)).forEach(
    async (row: CaptionedRow) => {
      const page = formatPage(annotationPage(row, placesOf(row.key), created));
      outcomes[await writePage(store, `${prefix}${row.key}${pageEnding}`, page)] += 1;
    },
    { concurrency: atOnce },
  );
  return outcomes;
}

async function* captionedOf(rows: RowBatches): AsyncGenerator<CaptionedRow> {
  for await (const batch of rows) {
    for (const { row } of batch) if (row.status === 'captioned') yield row;
  }
}

async function writePage(
  store: ObjectStore,
  key: string,
  page: string,
): Promise<keyof PagesWritten> {
  const contentType =
    'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json"';
  try {
    await store.put(key, Buffer.from(page), { contentType, ifAbsent: true });
    return 'written';
  } catch (error) {
    const reason = error instanceof StoreError ? error.reason : undefined;
    if (reason === 'refused') return 'refused';
    if (reason !== 'exists') throw error;
  }
  try {
    const { bytes, etag } = await store.get(key, { bytesMax: pageBytesMax });
    const text = bytes.toString('utf8');
    if (text === page) return 'unchanged';
    if (!isOwnPage(text)) return 'kept';
    await store.put(key, Buffer.from(page), { contentType, ifMatch: etag });
    return 'written';
  } catch (error) {
    const reason = error instanceof StoreError ? error.reason : undefined;
    if (reason === 'too-large' || reason === 'exists' || reason === 'access-denied') return 'kept';
    throw error;
  }
}
