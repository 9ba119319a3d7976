import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { UserError } from '@cutline/shared/errors';
import {
  type ImageRef,
  imageName,
  type PartRow,
  type Run,
  type RunStore,
  readRows,
} from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import { requireWritable } from '../files/require-writable.ts';
import { writeWhole } from '../files/write-whole.ts';
import { formatJsonLines, isRows } from '../terminal/print-rows.ts';
import { FileLock } from './file-lock.ts';
import {
  type FoundRows,
  isOutdating,
  linesWithout,
  lookThrough,
  noRows,
  takeUp,
} from './found-rows.ts';
import { takeUpPapers } from './take-up-papers.ts';

interface Opened {
  file: FileHandle;
  found: FoundRows;
  papers?: RunStore;
  lock?: FileLock;
}

/**
 * The rows of `cutline caption`, one a line, in a file that a later call goes on with: what has a
 * caption there is not captioned again; what failed, was archived, or is another image now is tried
 * again, and where it has got another row, the old one goes.
 */
export class RowsFile {
  /** What belongs to the file; undefined of what is no file (a pipe, a device). */
  readonly papers: RunStore | undefined;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #found: FoundRows;
  readonly #lock: FileLock | undefined;
  readonly #asked = new Set<string>();
  readonly #dropped = new Set<string>();
  /** Whether there is another row now for some that were found. */
  #hasOutdated = false;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(path: string, { file, found, papers, lock }: Opened) {
    this.#path = path;
    this.#file = file;
    this.#found = found;
    this.#lock = lock;
    this.papers = papers;
  }

  /**
   * @param request what captions now
   * @throws UserError where the file is something else's, has captions of another model, of other
   *   images or with other settings, is being written by another process, or cannot be written: then
   *   it stays as it is
   */
  static async open(path: string, request: Run, stores: StorePool): Promise<RowsFile> {
    await requireWritable(path, isRows);
    const stats = await stat(path).catch(() => undefined);
    if (stats && !stats.isFile()) {
      return new RowsFile(path, { file: await openToAppend(path), found: noRows() });
    }
    const lock = await FileLock.take(path);
    try {
      const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
      const { papers, isNew } = await takeUpPapers(path, { request, stores, hasRows: bytes > 0 });
      const { model } = request;
      const found = bytes > 0 ? await takeUp(path, { bytes, isNew, model }) : noRows();
      return new RowsFile(path, { file: await openToAppend(path), found, papers, lock });
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /**
   * Names of rows that were there before, of images that `has` was not asked about: where all that
   * is there has been, they are gone.
   * @param prefix of their keys
   */
  unasked(prefix: string): string[] {
    const names = [...this.#found.done.keys(), ...this.#found.toTry];
    const start = imageName({ key: prefix, etag: null, bytes: null });
    return names.filter((name) => !this.#asked.has(name) && name.startsWith(start));
  }

  /** Their rows go when the file is closed. */
  drop(names: readonly string[]): void {
    for (const name of names) this.#dropped.add(name);
  }

  /** Images whose rows were there before, and stay. */
  get before(): number {
    return this.#found.done.size;
  }

  has(image: ImageRef): boolean {
    const name = imageName(image);
    this.#asked.add(name);
    const etag = this.#found.done.get(name);
    return etag !== undefined && (image.etag === null || image.etag === etag);
  }

  /**
   * @throws UserError where the disk is full, and the like: what is in the file stays; and where the
   *   file is not there any more
   */
  async write(rows: readonly PartRow[]): Promise<void> {
    if (this.#isClosed) return;
    this.#hasOutdated ||= rows.some((row) => isOutdating(row, this.#found));
    this.#writing = this.#append(rows);
    await this.#writing;
  }

  async #append(rows: readonly PartRow[]): Promise<void> {
    await this.#requireThere();
    await this.#file.appendFile(formatJsonLines(rows)).catch((cause) => {
      throw cannotWrite(this.#path, cause);
    });
  }

  /** Rows would be written to a file that nobody finds, where another took its place. */
  async #requireThere(): Promise<void> {
    if (!this.papers) return;
    const [own, there] = await Promise.all([
      this.#file.stat(),
      stat(this.#path).catch(() => undefined),
    ]);
    if (own.ino === there?.ino && own.dev === there.dev) return;
    throw new UserError(
      `${this.#path} was removed or replaced while captions were written to it, by another ` +
        '"cutline caption" maybe. What the file lacks, the same command captions again.',
    );
  }

  /**
   * After what is being written; nothing is written any more, and what is outdated goes.
   * @throws UserError where the disk would not keep what it took, or the file is not there any more
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writing.catch(() => {}); // whoever wrote has heard it
    try {
      await this.#end();
      if (!this.papers || !(this.#hasOutdated || this.#dropped.size > 0)) return;
      const whole = () => readRows(createReadStream(this.#path), this.#path);
      const { outdated } = await lookThrough(whole());
      for (const name of this.#dropped) outdated.set(name, Number.POSITIVE_INFINITY);
      await writeWhole(this.#path, linesWithout(whole(), outdated));
    } finally {
      await this.#lock?.release();
    }
  }

  async #end(): Promise<void> {
    try {
      if (this.papers) await this.#file.datasync();
      await this.#requireThere();
    } catch (cause) {
      if (cause instanceof UserError) throw cause;
      throw cannotWrite(this.#path, cause as NodeJS.ErrnoException);
    } finally {
      await this.#file.close();
    }
  }
}

async function openToAppend(path: string): Promise<FileHandle> {
  return open(path, 'a').catch((cause) => {
    throw cannotWrite(path, cause);
  });
}

function cannotWrite(path: string, cause: NodeJS.ErrnoException): UserError {
  const message = `${path} could not be written (${cause.code}). The rows before stay, and the same command goes on after them.`;
  return new UserError(message, { cause });
}
