/**
 * The images of results that can be judged, without their rows: of each, only what choosing and
 * ordering take, some 200 bytes. Rows are read again when somebody looks at them.
 */
import { type FailureClass, UserError } from '@cutline/shared/errors';
import { type CaptionedRow, type FailedRow, reviewedImage } from '@cutline/shared/run';
import type { FoundRow, Results } from '../results/index.ts';

export type JudgedRow = CaptionedRow | FailedRow;

export interface IndexedImage {
  key: string;
  etag: string | null;
  /** null where there is none. */
  caption: string | null;
  score: number | null;
  failure: FailureClass | undefined;
  /** What its warnings begin with, up to a colon. */
  warnings: readonly string[];
  /** Of its row. */
  place: unknown;
}

export class ImageIndex {
  /** In the order of the rows; the place of an image is its number. */
  readonly images: readonly IndexedImage[];
  readonly #results: Pick<Results, 'readRow'>;
  readonly #numbers: ReadonlyMap<string, number>;

  private constructor(results: Pick<Results, 'readRow'>, images: readonly IndexedImage[]) {
    this.#results = results;
    this.images = images;
    this.#numbers = new Map(images.map((image, n) => [reviewedImage(image), n]));
  }

  /** @param onProgress is told how many rows were read. */
  static async read(
    results: Pick<Results, 'batches' | 'readRow'>,
    onProgress: (rows: number) => void,
  ): Promise<ImageIndex> {
    const images: IndexedImage[] = [];
    let rows = 0;
    for await (const batch of results.batches()) {
      for (const { row, place } of batch) {
        const judged = judgedPart(row);
        if (judged) images.push(toImage(judged, place));
      }
      rows += batch.length;
      onProgress(rows);
    }
    return new ImageIndex(results, images);
  }

  /** @returns undefined for what is no image of the results. */
  numberOf(image: { key: string; etag: string | null }): number | undefined {
    return this.#numbers.get(reviewedImage(image));
  }

  /** @throws StoreError, UserError where it cannot be read. */
  async readRow(image: IndexedImage): Promise<JudgedRow> {
    const row = judgedPart(await this.#results.readRow(image.place));
    if (row?.key !== image.key) {
      throw new UserError(`The row of ${image.key} is not where it was: open the review again.`);
    }
    return row;
  }
}

/** What the model made of an image; undefined of what was skipped. */
function judgedPart(row: FoundRow['row']): JudgedRow | undefined {
  if (row.status === 'skipped') return undefined;
  return row.status === 'reviewed' ? row.row : row;
}

function toImage(row: JudgedRow, place: unknown): IndexedImage {
  const { key, etag } = row;
  const own = { key, etag, place };
  if (row.status === 'failed') {
    return { ...own, caption: null, score: null, failure: row.failure.class, warnings: [] };
  }
  const warnings = (row.warnings ?? []).map((warning) => warning.split(':')[0] as string);
  return { ...own, caption: row.caption, score: row.score, failure: undefined, warnings };
}
