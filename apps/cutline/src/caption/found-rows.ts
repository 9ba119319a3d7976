import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { UserError } from '@cutline/shared/errors';
import { type PartRow, parseRow, type ResultRow, readRows, rowName } from '@cutline/shared/run';
import { writeWhole } from '../files/write-whole.ts';
import { formatJsonLines } from '../terminal/print-rows.ts';

/** What a file of rows has when it is gone on with, and which of its rows are outdated. */

/** What a file has rows of, by name. */
export interface FoundRows {
  /** ETags of what is not tried again. */
  done: Map<string, string | null>;
  /** What is, where it is among the images. */
  toTry: Set<string>;
}

/** How many rows of a name are outdated: the first ones of it in the file. */
export type Outdated = Map<string, number>;

export function noRows(): FoundRows {
  return { done: new Map(), toTry: new Set() };
}

/** Whether another row of the same image is there. A list may name one again and again. */
export function isOutdating(row: ResultRow, { done, toTry }: FoundRows): boolean {
  const isRepeat = row.status === 'skipped' && row.reason === 'duplicate';
  const name = rowName(row as PartRow);
  return !isRepeat && (done.has(name) || toTry.has(name));
}

/**
 * Makes the file fit to go on with, once all that is in it is known to be rows: where a process died
 * before it had come to an end, there may be a torn line, and rows that are outdated.
 */
export async function takeUp(
  path: string,
  { bytes, isNew, model }: { bytes: number; isNew: boolean; model: string },
): Promise<FoundRows> {
  const { end, rest } = await findEnd(path, bytes);
  const last = rest === '' ? undefined : parseLast(rest, path, { mayBeTorn: end > 0 || !isNew });
  const whole = () => readWhole(path, end, last);
  const requireOwn = (row: ResultRow) => requireSameModel(row, { path, model });
  const { found, outdated } = await lookThrough(whole(), requireOwn);
  if (outdated.size > 0 || rest !== '') await writeWhole(path, linesWithout(whole(), outdated));
  return found;
}

/** @param onRow is told of each row, and may throw */
export async function lookThrough(
  batches: AsyncIterable<ResultRow[]>,
  onRow: (row: ResultRow) => void = () => {},
): Promise<{ found: FoundRows; outdated: Outdated }> {
  const found = noRows();
  const outdated = new Map<string, number>();
  for await (const rows of batches) {
    for (const row of rows) {
      onRow(row);
      const name = rowName(row as PartRow);
      if (isOutdating(row, found)) outdated.set(name, (outdated.get(name) ?? 0) + 1);
      note(found, name, row);
    }
  }
  return { found, outdated };
}

function note({ done, toTry }: FoundRows, name: string, row: ResultRow): void {
  if (isToTry(row)) {
    toTry.add(name);
    done.delete(name);
  } else {
    done.set(name, row.etag);
    toTry.delete(name);
  }
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

export async function* linesWithout(
  batches: AsyncIterable<ResultRow[]>,
  outdated: Outdated,
): AsyncGenerator<string> {
  const left = new Map(outdated);
  const isOutdated = (row: ResultRow) => {
    const name = rowName(row as PartRow);
    const rows = left.get(name) ?? 0;
    if (rows > 0) left.set(name, rows - 1);
    return rows > 0;
  };
  for await (const rows of batches) yield formatJsonLines(rows.filter((row) => !isOutdated(row)));
}

/** What was archived may have been restored since; if it was not, the listing says so again. */
function isToTry(row: ResultRow): boolean {
  return row.status === 'failed' || (row.status === 'skipped' && row.reason === 'archived');
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
