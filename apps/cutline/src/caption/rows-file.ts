import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { UserError } from '@cutline/shared/errors';
import {
  type ImageRef,
  imageName,
  type PartRow,
  parseRow,
  type ResultRow,
  type Run,
  type RunStore,
  readRows,
  rowName,
} from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import { formatJsonLines, isRows } from '../print-rows.ts';
import { requireWritable } from '../require-writable.ts';
import { writeWhole } from '../write-whole.ts';
import { takeUpPapers } from './take-up-papers.ts';

/** ETags by name, of images whose rows stay. */
type DoneRows = ReadonlyMap<string, string | null>;

/**
 * The rows of `cutline caption`, one a line, in a file that a later call goes on with: what has a
 * caption there is not captioned again; what failed is tried again, and its old row goes.
 */
export class RowsFile {
  /** What belongs to the file; undefined of what is no file (a pipe, a device). */
  readonly papers: RunStore | undefined;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #done: DoneRows;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(
    path: string,
    { file, done, papers }: { file: FileHandle; done: DoneRows; papers?: RunStore },
  ) {
    this.#path = path;
    this.#file = file;
    this.#done = done;
    this.papers = papers;
  }

  /**
   * @param request what captions now
   * @throws UserError where the file is something else's, has captions of another model, of other
   *   images or with other settings, or cannot be written: then it stays as it is
   */
  static async open(path: string, request: Run, stores: StorePool): Promise<RowsFile> {
    await requireWritable(path, isRows);
    const found = await stat(path).catch(() => undefined);
    if (found && !found.isFile()) {
      return new RowsFile(path, { file: await openToAppend(path), done: new Map() });
    }
    const bytes = found?.size ?? 0;
    const { papers, isNew } = await takeUpPapers(path, { request, stores, hasRows: bytes > 0 });
    const done = bytes > 0 ? await takeUp(path, { bytes, isNew, model: request.model }) : new Map();
    return new RowsFile(path, { file: await openToAppend(path), done, papers });
  }

  /** Images whose rows were there before. */
  get before(): number {
    return this.#done.size;
  }

  has(image: ImageRef): boolean {
    const etag = this.#done.get(imageName(image));
    return etag !== undefined && (image.etag === null || image.etag === etag);
  }

  /** @throws UserError where the disk is full, and the like: what is in the file stays */
  async write(rows: readonly PartRow[]): Promise<void> {
    if (this.#isClosed) return;
    this.#writing = this.#file.appendFile(formatJsonLines(rows)).catch((cause) => {
      throw cannotWrite(this.#path, cause);
    });
    await this.#writing;
  }

  /**
   * After what is being written; nothing is written any more.
   * @throws UserError where the disk would not keep what it took
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writing.catch(() => {}); // whoever wrote has heard it
    try {
      if (this.papers) await this.#file.datasync();
    } catch (cause) {
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

/** Makes the file fit to go on with, once all that is in it is known to be rows. */
async function takeUp(
  path: string,
  { bytes, isNew, model }: { bytes: number; isNew: boolean; model: string },
): Promise<Map<string, string | null>> {
  const { end, rest } = await findEnd(path, bytes);
  const last = rest === '' ? undefined : parseLast(rest, path, { mayBeTorn: end > 0 || !isNew });
  const whole = () => readWhole(path, end, last);
  const done = new Map<string, string | null>();
  let isAllDone = true;
  for await (const rows of whole()) {
    for (const row of rows) {
      requireSameModel(row, { path, model });
      if (staysDone(row)) done.set(rowName(row as PartRow), row.etag);
      else isAllDone = false;
    }
  }
  if (!isAllDone || rest !== '') await writeWhole(path, linesOfDone(whole()));
  return done;
}

/** The rows of the lines that end, and the one that only lacks its end. */
async function* readWhole(
  path: string,
  end: number,
  last: ResultRow | undefined,
): AsyncGenerator<ResultRow[]> {
  if (end > 0) yield* readRows(createReadStream(path, { end: end - 1 }), path);
  if (last) yield [last];
}

async function* linesOfDone(batches: AsyncIterable<ResultRow[]>): AsyncGenerator<string> {
  for await (const rows of batches) yield formatJsonLines(rows.filter(staysDone));
}

function staysDone(row: ResultRow): boolean {
  return row.status !== 'failed';
}

function requireSameModel(row: ResultRow, { path, model }: { path: string; model: string }): void {
  if (!('model' in row) || row.model === model) return;
  throw new UserError(
    `${path} has captions of ${row.model}, and this is ${model}: choose another file.`,
  );
}

/**
 * A line that was being written when the process died has no end, and is no row any more.
 * @param mayBeTorn whether that is how such a line comes here: else it is somebody else's text
 * @throws UserError
 */
function parseLast(
  text: string,
  path: string,
  { mayBeTorn }: { mayBeTorn: boolean },
): ResultRow | undefined {
  if (mayBeTorn && !isJson(text)) return undefined;
  return parseRow(text, `${path}, last line`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where the last line ends that has an end, and what comes after it. */
async function findEnd(path: string, bytes: number): Promise<{ end: number; rest: string }> {
  const file = await open(path);
  const rest: Buffer[] = [];
  try {
    for (let end = bytes; end > 0; ) {
      const start = Math.max(0, end - pieceBytes);
      const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
      const at = buffer.lastIndexOf('\n');
      rest.unshift(buffer.subarray(at + 1));
      if (at >= 0) return { end: start + at + 1, rest: Buffer.concat(rest).toString('utf8') };
      end = start;
    }
    return { end: 0, rest: Buffer.concat(rest).toString('utf8') };
  } finally {
    await file.close();
  }
}

const pieceBytes = 64 * 1024;

function cannotWrite(path: string, cause: NodeJS.ErrnoException): UserError {
  const message = `${path} could not be written (${cause.code}). The rows before stay, and the same command goes on after them.`;
  return new UserError(message, { cause });
}
