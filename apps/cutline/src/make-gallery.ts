import { resolve } from 'node:path';
import { defaultBundleFolder, describeModel } from '@cutline/inference';
import { countReviews, type ResultRow, type Reviews, readReviews } from '@cutline/shared/run';
import { type ObjectStore, StoreError, type StorePool } from '@cutline/shared/stores';
import type { Link } from './export/index.ts';
import type { Thumbnail } from './gallery/index.ts';
import { type Results, reviewedRows } from './results/index.ts';
import { formatCount, formatQuantity } from './terminal/format.ts';
import { createStatusLine } from './terminal/status-line.ts';

export interface GalleryRequest {
  /** Of the first page. */
  file: string;
  /** Where the images are. */
  imagesStore: string;
  /** Whether that is another place than the one they were captioned from, with ETags of its own. */
  isMoved: boolean;
  /** Cards at most. */
  limit: number;
  link: Link | undefined;
  /** Folder or name of a bundle: the page says what it is like, if the captions are its own. */
  model: string | undefined;
}

/** Cards, where the user says nothing: 2 GB of pages. */
export const galleryLimitDefault = 100_000;

/**
 * Makes the pages of a gallery.
 * @returns what was done, in a line
 * @throws UserError, StoreError
 */
export async function makeGallery(
  results: Results,
  { file, imagesStore, isMoved, limit, link, model }: GalleryRequest,
  stores: StorePool,
): Promise<string> {
  const { writeGallery } = await import('./gallery/index.ts'); // which other commands save
  const source = await stores.open(imagesStore);
  const bundle = await describeModel(model ?? defaultBundleFolder());
  const reviews = await readReviews(results.papers);
  const overview = await results.overview();
  const cards = await countCards(results, reviews);
  const status = createStatusLine(process.stderr);
  const of = formatCount(Math.min(cards, limit));
  let made = 0;
  const page = resolve(file);
  try {
    const summary = await writeGallery(
      {
        run: results.name,
        model: overview.model,
        modelNote: bundle.id === overview.model ? bundle.description.description : undefined,
        lengthPenalty: (results.request?.options ?? bundle.decoding).lengthPenalty,
        created: results.origin.created,
        finished: results.finished,
        totals: { ...overview, reviewed: sum(reviews) },
        tryAgain: results.tryAgain,
        link,
        cards,
        rows: oneByOne(results, reviews),
        thumbnail: async (row) => {
          status.show(`gallery: ${formatCount(made++)} of ${of}`);
          return readThumbnail(source, isMoved ? { key: row.key, etag: null } : row);
        },
      },
      page,
      { cardsMax: limit },
    );
    const pages = summary.pages > 1 ? ` on ${formatQuantity(summary.pages, 'page')}` : '';
    const left = cards > summary.cards ? ` of ${formatCount(cards)} (--limit)` : '';
    return `${page}: ${formatQuantity(summary.cards, 'image')}${left}${pages}`;
  } finally {
    status.clear();
  }
}

/** Of what has a caption, or had one that a person rejected. */
async function countCards(results: Results, reviews: Reviews): Promise<number> {
  let cards = 0;
  for await (const rows of reviewedRows(results, reviews)) {
    cards += rows.filter(({ row }) => row.status !== 'skipped' && row.status !== 'failed').length;
  }
  return cards;
}

async function* oneByOne(results: Results, reviews: Reviews): AsyncGenerator<ResultRow> {
  for await (const rows of reviewedRows(results, reviews)) for (const { row } of rows) yield row;
}

/** Images that somebody has judged. */
function sum(reviews: Reviews): number {
  return Object.values(countReviews(reviews)).reduce((all, n) => all + n, 0);
}

/** undefined where the image that was captioned is no longer there, or cannot be decoded. */
async function readThumbnail(
  source: ObjectStore,
  { key, etag }: { key: string; etag: string | null },
): Promise<Thumbnail | undefined> {
  try {
    const { bytes } = await source.get(key, { etag: etag ?? undefined });
    const { makeThumbnail } = await import('./gallery/index.ts');
    return await makeThumbnail(bytes).catch(() => undefined);
  } catch (error) {
    if (error instanceof StoreError && error.reason !== 'misconfigured') return undefined;
    throw error;
  }
}
