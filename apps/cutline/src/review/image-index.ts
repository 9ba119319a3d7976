/**
 * The images of a run that can be judged, without their rows: of each, only what choosing and
 * ordering take, some 200 bytes. Rows are read from their parts when somebody looks at them.
 */
import type { FailureClass } from '@cutline/shared/errors';
import {
  type CaptionedRow,
  type FailedRow,
  type PartName,
  type RunState,
  type RunStore,
  reviewedImage,
  settleRun,
} from '@cutline/shared/run';

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
  part: PartName;
  /** Its row's place in the part. */
  line: number;
}

/** Parts that are kept in memory: reviewers go through lists, and back. */
const partsMax = 64;

export class ImageIndex {
  /** In the order of the manifest; the place of an image is its number. */
  readonly images: readonly IndexedImage[];
  readonly #run: RunStore;
  readonly #numbers: ReadonlyMap<string, number>;
  /** By key, the one that was used last at the end. */
  readonly #parts = new Map<string, Promise<JudgedRow[]>>();

  private constructor(run: RunStore, images: readonly IndexedImage[]) {
    this.#run = run;
    this.images = images;
    this.#numbers = new Map(images.map((image, n) => [reviewedImage(image), n]));
  }

  /** @param onProgress is told how many rows were read. */
  static async read(
    run: RunStore,
    state: RunState,
    onProgress: (rows: number) => void,
  ): Promise<ImageIndex> {
    const images: IndexedImage[] = [];
    let rows = 0;
    for await (const batch of settleRun(run, state)) {
      for (const { row, part } of batch.images) {
        if (row && part && row.status !== 'skipped') {
          images.push(toImage(row, part.name, part.rows.indexOf(row)));
        }
      }
      rows += batch.images.length;
      onProgress(rows);
    }
    return new ImageIndex(run, images);
  }

  /** @returns undefined for what is no image of the run. */
  numberOf(image: { key: string; etag: string | null }): number | undefined {
    return this.#numbers.get(reviewedImage(image));
  }

  /** @throws StoreError where its part cannot be read. */
  async readRow(image: IndexedImage): Promise<JudgedRow> {
    const { key } = image.part;
    const rows = this.#parts.get(key) ?? this.#readPart(image.part);
    this.#parts.delete(key);
    this.#parts.set(key, rows);
    if (this.#parts.size > partsMax) this.#parts.delete(this.#parts.keys().next().value as string);
    const row = (await rows)[image.line];
    if (!row) throw new Error(`${key} has no line ${image.line + 1} any more`);
    return row;
  }

  async #readPart(part: PartName): Promise<JudgedRow[]> {
    try {
      return (await this.#run.readPart(part)).rows as JudgedRow[];
    } catch (error) {
      this.#parts.delete(part.key); // so that it is tried again
      throw error;
    }
  }
}

function toImage(row: JudgedRow, part: PartName, line: number): IndexedImage {
  const { key, etag } = row;
  const place = { key, etag, part, line };
  if (row.status === 'failed') {
    return { ...place, caption: null, score: null, failure: row.failure.class, warnings: [] };
  }
  const warnings = (row.warnings ?? []).map((warning) => warning.split(':')[0] as string);
  return { ...place, caption: row.caption, score: row.score, failure: undefined, warnings };
}
