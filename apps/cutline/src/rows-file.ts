import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { UserError } from '@cutline/shared/errors';
import {
  type ImageRef,
  imageName,
  type PartRow,
  type ResultRow,
  readRows,
  rowName,
} from '@cutline/shared/run';
import { formatJsonLines, isRows } from './print-rows.ts';
import { requireWritable } from './require-writable.ts';
import { writeWhole } from './write-whole.ts';

/**
 * The rows of `cutline caption -o`, one a line, in a file that a later call goes on with: what has a
 * caption there is not captioned again; what failed is tried again, and its old row goes.
 */
export class RowsFile {
  readonly #path: string;
  readonly #file: FileHandle;
  /** ETags by name, of images whose rows stay. */
  readonly #done: ReadonlyMap<string, string | null>;

  private constructor(path: string, file: FileHandle, done: ReadonlyMap<string, string | null>) {
    this.#path = path;
    this.#file = file;
    this.#done = done;
  }

  /**
   * @param model id of what captions now
   * @throws UserError where the file is something else's, has another model's captions, or cannot
   *   be written
   */
  static async open(path: string, model: string): Promise<RowsFile> {
    await requireWritable(path, isRows);
    const done = await takeUp(path, model);
    const file = await open(path, 'a').catch((cause) => {
      throw cannotWrite(path, cause);
    });
    return new RowsFile(path, file, done);
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
    await this.#file.appendFile(formatJsonLines(rows)).catch((cause) => {
      throw cannotWrite(this.#path, cause);
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Makes the file fit to go on with, and tells what is done. */
async function takeUp(path: string, model: string): Promise<Map<string, string | null>> {
  const done = new Map<string, string | null>();
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return done;
  await cutBrokenLine(path, found.size);
  let isWhole = true;
  for await (const rows of readRows(createReadStream(path), path)) {
    for (const row of rows) {
      requireSameModel(row, { path, model });
      if (staysDone(row)) done.set(rowName(row as PartRow), row.etag);
      else isWhole = false;
    }
  }
  if (!isWhole) await writeWhole(path, linesOfDone(path));
  return done;
}

async function* linesOfDone(path: string): AsyncGenerator<string> {
  for await (const rows of readRows(createReadStream(path), path)) {
    yield formatJsonLines(rows.filter(staysDone));
  }
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

/** A line that was being written when the process died has no end. */
async function cutBrokenLine(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    for (let end = bytes; end > 0; ) {
      const start = Math.max(0, end - pieceBytes);
      const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
      const at = buffer.lastIndexOf('\n');
      if (at >= 0 || start === 0) {
        const whole = at < 0 ? 0 : start + at + 1;
        if (whole < bytes) await file.truncate(whole);
        return;
      }
      end = start;
    }
  } finally {
    await file.close();
  }
}

const pieceBytes = 64 * 1024;

function cannotWrite(path: string, cause: NodeJS.ErrnoException): UserError {
  const message = `${path} could not be written (${cause.code}). The rows before stay, and the same command goes on after them.`;
  return new UserError(message, { cause });
}
