import type { CaptionedRow, ResultRow, ReviewedRow } from '@cutline/shared/run';
import type { AttentionGrid } from './attention.ts';
import type { Thumbnail } from './thumbnail.ts';

/** What a gallery is made from. The rows are read once, in the order of the page. */
export interface Gallery extends GalleryRun {
  readonly rows: AsyncIterable<ResultRow> | Iterable<ResultRow>;
  /** How many of the rows get a card: what is not skipped or failed. Absent: there is one page. */
  readonly cards?: number | undefined;
  /**
   * Asked for a few rows ahead of the page. `undefined` where there is no preview to show (the
   * image is gone, or is another one by now); a rejection ends the page.
   */
  readonly thumbnail: (row: CaptionedRow | ReviewedRow) => Promise<Thumbnail | undefined>;
  /** Of every row's attention; where it is not given, L is the square of a whole number. */
  readonly attentionGrid?: AttentionGrid | undefined;
}

/** What the head of the page says about the run. */
export interface GalleryRun {
  readonly run: string;
  /** Model id. */
  readonly model: string;
  /** What a reader has to know of the model: what it learned from, what it is bad at. */
  readonly modelNote?: string | undefined;
  /** As in the run's caption options; the page explains the score with it. */
  readonly lengthPenalty: number;
  /** ISO 8601. */
  readonly created?: string | undefined;
  readonly finished?: string | undefined;
  readonly totals: GalleryTotals;
  /** The command that tries failed images again. */
  readonly tryAgain: string;
  /** URLs of the images themselves. */
  readonly link?: ((key: string) => string) | undefined;
}

/** Images of the whole run; those with none of the three outcomes are still to be done. */
export interface GalleryTotals {
  readonly images: number;
  readonly captioned: number;
  readonly skipped: number;
  readonly failed: number;
  /** By people. */
  readonly reviewed?: number;
}
