import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { LocalSidecars, withdrawSidecars } from '@cutline/pipeline';
import { describeError, UserError } from '@cutline/shared/errors';
import {
  countRows,
  parseRow,
  type ResultRow,
  type Reviews,
  type Run,
  type RunStore,
  readPlacedRows,
  reviewedImage,
  runSchema,
} from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import { imagesStore } from './images-store.ts';
import { papersOf } from './papers.ts';
import type { FoundRow, Overview, Results } from './results.ts';
import { reviewedRows } from './reviewed-rows.ts';

/** A line of the file. */
interface Place {
  position: number;
  bytes: number;
}

/** The rows of a file, as `cutline caption` and `cutline export --to jsonl` write them. */
export class FileResults implements Results<Place> {
  readonly papers: RunStore;
  readonly request: Run | undefined;
  readonly isFinished = true;
  readonly isAtRest = true;
  readonly #path: string;
  readonly #modified: Date;

  private constructor(
    path: string,
    { papers, request, modified }: { papers: RunStore; request: Run | undefined; modified: Date },
  ) {
    this.#path = path;
    this.papers = papers;
    this.request = request;
    this.#modified = modified;
  }

  /** @throws UserError where it cannot be read */
  static async open(path: string, stores: StorePool): Promise<FileResults> {
    const stats = await stat(path).catch((cause) => {
      throw cannotRead(path, cause);
    });
    if (stats.isDirectory()) {
      throw new UserError(`${path} is a folder: expected a file of rows, as "caption -o" writes.`);
    }
    const papers = await papersOf(path, stores);
    const request = await papers.readObject('run.json', runSchema);
    const named = request ? await papersOf(path, stores, request.run) : papers;
    return new FileResults(path, { papers: named, request, modified: stats.mtime });
  }

  get name(): string {
    return basename(this.#path);
  }

  get title(): string {
    return this.name;
  }

  get origin() {
    return { source: resolve(this.#path), created: this.request?.created ?? this.finished };
  }

  get tryAgain(): string {
    return `cutline caption … -o ${this.name}`;
  }

  get finished(): string {
    return this.#modified.toISOString();
  }

  async *batches(): AsyncGenerator<FoundRow<Place>[]> {
    try {
      for await (const rows of readPlacedRows(createReadStream(this.#path), this.#path)) {
        yield rows.map(({ row, ...place }) => ({ row, attempt: '0', place }));
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
      throw cannotRead(this.#path, cause as NodeJS.ErrnoException);
    }
  }

  async readRow({ position, bytes }: Place): Promise<ResultRow> {
    const file = await open(this.#path).catch((cause) => {
      throw cannotRead(this.#path, cause);
    });
    try {
      const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
      return parseRow(buffer.toString('utf8'), `${this.#path}, at byte ${position}`);
    } finally {
      await file.close();
    }
  }

  async overview(): Promise<Overview> {
    let model = this.request?.model ?? '';
    const all = { images: 0, captioned: 0, skipped: 0, failed: 0 };
    for await (const found of this.batches()) {
      const rows = found.map(({ row }) => (row.status === 'reviewed' ? row.row : row));
      const counts = countRows(rows);
      for (const name of ['images', 'captioned', 'skipped', 'failed'] as const) {
        all[name] += counts[name];
      }
      const captioned = rows.find((row) => row.status === 'captioned');
      model ||= captioned?.model ?? '';
    }
    return { model, ...all };
  }

  async renewSidecars(
    reviews: Reviews,
    what: Parameters<Results['renewSidecars']>[1],
    stores: StorePool,
  ) {
    const store = await stores.open(imagesStore(this, undefined));
    const sidecars = await LocalSidecars.open({ run: this.papers, store, ...what });
    return sidecars.renew(this.#judged(reviews));
  }

  async withdrawSidecars(stores: StorePool) {
    return withdrawSidecars(this.papers, await stores.open(imagesStore(this, undefined)));
  }

  /** Rows that somebody has judged, or had. */
  async *#judged(reviews: Reviews): AsyncGenerator<ResultRow[]> {
    const judged = new Set(Array.from(reviews.decisions(), reviewedImage));
    for await (const batch of reviewedRows(this, reviews)) {
      yield batch.flatMap(({ row }) => (judged.has(reviewedImage(row)) ? [row] : []));
    }
  }
}

function cannotRead(path: string, cause: NodeJS.ErrnoException): UserError {
  const why = cause.code ?? describeError(cause);
  const advice = cause.code === 'ENOENT' ? ': expected a file of rows, as "caption -o" writes' : '';
  return new UserError(`${path} cannot be read (${why})${advice}.`, { cause });
}
