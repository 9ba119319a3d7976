import { Readable } from 'node:stream';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import type { RowBatches } from './columns.ts';
import {
  annotationPage,
  type DescribedRow,
  formatPage,
  isOwnPage,
  type PagePlaces,
} from './iiif.ts';

/** What became of the pages. */
export interface PagesWritten {
  written: number;
  /** There already, and as they should be. */
  unchanged: number;
  /** Taken away, since somebody has rejected the caption. */
  removed: number;
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
 * Writes an annotation page for each image with a caption, `<prefix><key>.annotations.json`.
 *
 * @param created of the run
 * @throws StoreError where the store cannot be written to
 */
export async function writePages(
  rows: RowBatches,
  { store, prefix }: { store: ObjectStore; prefix: string },
  { placesOf, created }: { placesOf: (key: string) => PagePlaces; created: string },
): Promise<PagesWritten> {
  const outcomes: PagesWritten = { written: 0, unchanged: 0, removed: 0, kept: 0, refused: 0 };
  await Readable.from(describedOf(rows)).forEach(
    async (row: DescribedRow) => {
      const page = annotationPage(row, placesOf(row.key), created);
      const key = `${prefix}${row.key}${pageEnding}`;
      const outcome = page
        ? await writePage(store, key, formatPage(page))
        : await removePage(store, key);
      if (outcome) outcomes[outcome] += 1;
    },
    { concurrency: atOnce },
  );
  return outcomes;
}

async function* describedOf(rows: RowBatches): AsyncGenerator<DescribedRow> {
  for await (const batch of rows) {
    for (const { row } of batch) {
      if (row.status === 'captioned' || row.status === 'reviewed') yield row;
    }
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
  return changeOwn(store, key, page, async (etag) => {
    await store.put(key, Buffer.from(page), { contentType, ifMatch: etag });
    return 'written';
  });
}

/** @returns undefined where there is none. */
async function removePage(
  store: ObjectStore,
  key: string,
): Promise<keyof PagesWritten | undefined> {
  const isThere = await store.head(key).catch((error: unknown) => {
    if (error instanceof StoreError && error.reason === 'access-denied') return undefined;
    throw error;
  });
  if (!isThere) return undefined;
  return changeOwn(store, key, undefined, async (etag) => {
    await store.delete(key, { ifMatch: etag });
    return 'removed';
  });
}

/** Changes a page that is there, if it is Cutline's, and not as it should be. */
async function changeOwn<Changed extends keyof PagesWritten>(
  store: ObjectStore,
  key: string,
  wanted: string | undefined,
  change: (etag: string) => Promise<Changed>,
): Promise<Changed | 'unchanged' | 'kept'> {
  try {
    const { bytes, etag } = await store.get(key, { bytesMax: pageBytesMax });
    const text = bytes.toString('utf8');
    if (text === wanted) return 'unchanged';
    return isOwnPage(text) ? await change(etag) : 'kept';
  } catch (error) {
    const reason = error instanceof StoreError ? error.reason : undefined;
    if (reason === 'too-large' || reason === 'exists' || reason === 'access-denied') return 'kept';
    throw error;
  }
}
