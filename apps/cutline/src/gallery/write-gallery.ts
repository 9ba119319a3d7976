/**
 * Writes a run's gallery: self-contained HTML pages, mostly one. Each is a stream: a few thumbnails
 * are in memory at any time, however many images the run has, and a slow reader slows it down.
 */
import { readFile } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CaptionedRow, ResultRow, ReviewedRow } from '@cutline/shared/run';
import { writeWhole } from '../files/write-whole.ts';
import type { Html } from '../page/html.ts';
import { card } from './card.ts';
import type { Gallery } from './gallery.ts';
import { pageEnd, pageStart } from './page.ts';
import { onePage, type PagePlace, prepareFiles, removeFurther } from './page-files.ts';
import { Uncaptioned } from './uncaptioned.ts';

export interface GalleryLimits {
  /** Captioned images shown, the first ones; 0 or more. Default 100,000: 2 GB in 50 pages. */
  readonly cardsMax: number;
  /** Of those, on a page; 1 or more. Default 2000: some 40 MB. */
  readonly pageCards: number;
  /** Rows listed of each failure class and skip reason; 0 or more. Default 500. */
  readonly listedMax: number;
}

/** What the pages show, and what the rows held. */
export interface GallerySummary {
  pages: number;
  cards: number;
  captioned: number;
  skipped: number;
  failed: number;
}

/** Thumbnails being made at once. */
const thumbnailsAtOnce = 8;

/**
 * @param out a path, whose pages appear (or are replaced) only when they are complete: beside
 *   `gallery.html` are `gallery-2.html` and so on; or a stream, for one page, which is ended, and
 *   destroyed on an error
 * @throws UserError where one of the files is there and is no page of this gallery's; and whatever
 *   `rows`, `thumbnail` or the writing throws
 */
export async function writeGallery(
  gallery: Gallery,
  out: string | Writable,
  { cardsMax = 100_000, pageCards = 2000, listedMax = 500 }: Partial<GalleryLimits> = {},
): Promise<GallerySummary> {
  const cards = Math.min(cardsMax, gallery.cards ?? cardsMax);
  const isOne = typeof out !== 'string' || gallery.cards === undefined;
  const pages = isOne ? 1 : Math.max(1, Math.ceil(cards / pageCards));
  const content = new Content(gallery, listedMax);
  if (typeof out !== 'string') {
    const page = content.page(onePage, cards);
    await pipeline(Readable.from(page, { objectMode: false }), out);
    return { ...content.summary, pages };
  }
  const files = await prepareFiles(out, pages);
  for (const { path, ...place } of files) {
    const rest = cards - content.summary.cards;
    await writeWhole(path, content.page(place, pages === 1 ? rest : Math.min(pageCards, rest)));
  }
  await removeFurther(out, pages);
  return { ...content.summary, pages };
}

/** What is on the pages, one after the other: the rows are read once. */
class Content {
  readonly summary = { cards: 0, captioned: 0, skipped: 0, failed: 0 };
  readonly #gallery: Gallery;
  readonly #rows: AsyncIterator<ResultRow> | Iterator<ResultRow>;
  readonly #uncaptioned: Uncaptioned;

  constructor(gallery: Gallery, listedMax: number) {
    this.#gallery = gallery;
    this.#rows = iteratorOf(gallery.rows);
    this.#uncaptioned = new Uncaptioned(listedMax, gallery);
  }

  /** @param cardsMax of this page; the last one reads the rows to their end. */
  async *page(place: PagePlace, cardsMax: number): AsyncGenerator<string> {
    const gallery = this.#gallery;
    const scripts = await Promise.all(['browse', 'heat-map'].map(readScript));
    yield pageStart(gallery, place, scripts).text;
    const before = this.summary.cards;
    const isLast = place.number === place.pages;
    const cards: AsyncIterable<Html> = Readable.from(this.#cardRows(cardsMax, isLast)).map(
      async (row: CaptionedRow | ReviewedRow) => card(row, await gallery.thumbnail(row), gallery),
      { concurrency: thumbnailsAtOnce },
    );
    for await (const { text } of cards) yield text;
    const { summary } = this;
    yield pageEnd(
      {
        place,
        cards: summary.cards - before,
        left: isLast ? { shown: summary.cards, of: summary.captioned } : undefined,
        uncaptioned: isLast ? this.#uncaptioned.render() : undefined,
      },
      scripts,
    ).text;
  }

  /** Counts every row, and lets through those that get a card. */
  async *#cardRows(cardsMax: number, isLast: boolean): AsyncGenerator<CaptionedRow | ReviewedRow> {
    const { summary } = this;
    const end = summary.cards + cardsMax;
    while (isLast || summary.cards < end) {
      const next = await this.#rows.next();
      if (next.done) return;
      const row = next.value;
      this.#uncaptioned.add(row);
      if (row.status === 'skipped' || row.status === 'failed') {
        summary[row.status]++;
        continue;
      }
      summary.captioned++;
      if (summary.cards >= end) continue;
      summary.cards++;
      yield row;
    }
  }
}

function iteratorOf(rows: Gallery['rows']): AsyncIterator<ResultRow> | Iterator<ResultRow> {
  return Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
}

/** The page's own scripts are TypeScript of their own, compiled for browsers beside this file. */
async function readScript(name: string): Promise<string> {
  return readFile(new URL(`./client/${name}.js`, import.meta.url), 'utf8');
}
