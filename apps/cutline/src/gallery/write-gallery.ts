/**
 * Writes a run's gallery as one self-contained HTML page. The page is a stream: a few thumbnails
 * are in memory at any time, however many images the run has, and a slow reader slows it down.
 */
import { readFile } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CaptionedRow, ReviewedRow } from '@cutline/shared/run';
import { writeWhole } from '../write-whole.ts';
import { card } from './card.ts';
import type { Gallery } from './gallery.ts';
import type { Html } from './html.ts';
import { pageEnd, pageStart } from './page.ts';
import { Uncaptioned } from './uncaptioned.ts';

export interface GalleryLimits {
  /** Captioned images shown, the first ones; 0 or more. Default 2000: some 40 MB of page. */
  readonly cardsMax: number;
  /** Rows listed of each failure class and skip reason; 0 or more. Default 500. */
  readonly listedMax: number;
}

/** What the page shows, and what the rows held. */
export interface GallerySummary {
  cards: number;
  captioned: number;
  skipped: number;
  failed: number;
}

/** Thumbnails being made at once. */
const thumbnailsAtOnce = 8;

/**
 * @param out a path, which appears (or is replaced) only when the page is complete; or a stream,
 *   which is ended, and destroyed on an error
 * @throws whatever `rows`, `thumbnail` or the writing throws
 */
export async function writeGallery(
  gallery: Gallery,
  out: string | Writable,
  { cardsMax = 2000, listedMax = 500 }: Partial<GalleryLimits> = {},
): Promise<GallerySummary> {
  const summary: GallerySummary = { cards: 0, captioned: 0, skipped: 0, failed: 0 };
  const page = pageText(gallery, { cardsMax, listedMax }, summary);
  if (typeof out === 'string') await writeWhole(out, page);
  else await pipeline(Readable.from(page, { objectMode: false }), out);
  return summary;
}

async function* pageText(
  gallery: Gallery,
  limits: GalleryLimits,
  summary: GallerySummary,
): AsyncGenerator<string> {
  const scripts = await Promise.all(['browse', 'heat-map'].map(readScript));
  const uncaptioned = new Uncaptioned(limits.listedMax);
  yield pageStart(gallery, scripts).text;
  const cards: AsyncIterable<Html> = Readable.from(
    rowsToShow(gallery.rows, limits.cardsMax, summary, uncaptioned),
  ).map(
    async (row: CaptionedRow | ReviewedRow) =>
      card(row, await gallery.thumbnail(row), gallery.attentionGrid),
    { concurrency: thumbnailsAtOnce },
  );
  for await (const { text } of cards) yield text;
  yield pageEnd(summary.cards, summary.captioned, uncaptioned.render(gallery.run), scripts).text;
}

/** Counts every row, and lets through those that get a card. */
async function* rowsToShow(
  rows: Gallery['rows'],
  cardsMax: number,
  summary: GallerySummary,
  uncaptioned: Uncaptioned,
): AsyncGenerator<CaptionedRow | ReviewedRow> {
  for await (const row of rows) {
    summary[row.status === 'reviewed' ? 'captioned' : row.status]++;
    if (row.status === 'skipped' || row.status === 'failed') uncaptioned.add(row);
    else if (summary.cards < cardsMax) {
      summary.cards++;
      yield row;
    }
  }
}

/** The page's own scripts are TypeScript of their own, compiled for browsers beside this file. */
async function readScript(name: string): Promise<string> {
  return readFile(new URL(`./client/${name}.js`, import.meta.url), 'utf8');
}
