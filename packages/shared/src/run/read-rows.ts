import { z } from 'zod';
import { UserError } from '../errors.ts';
import { partRowSchema } from './part.ts';
import { type ResultRow, reviewedRowSchema } from './reviews/reviewed-row.ts';

/** A row of a file, and where in it: so that it can be had again without all the others. */
export interface PlacedRow {
  row: ResultRow;
  /** Of its first byte. */
  position: number;
  /** Of its line, without the end of it. */
  bytes: number;
}

/**
 * Rows of JSON Lines that are too long to be read at once: what `cutline caption -o` and
 * `cutline export --to jsonl` write.
 *
 * @param name of the text, for messages
 * @returns rows in their order, a few at a time
 * @throws UserError with the number of a line that is no row
 */
export async function* readPlacedRows(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<PlacedRow[]> {
  let rows: PlacedRow[] = [];
  for await (const { line, number, position } of linesOf(chunks, name)) {
    const text = line.toString('utf8');
    if (text.trim() === '') continue; // which takes a byte order mark for a space, too
    const row = parseRow(text, `${name}, line ${number}`);
    rows.push({ row, position, bytes: line.length });
    if (rows.length < rowsAtOnce) continue;
    yield rows;
    rows = [];
  }
  yield rows;
}

/** The rows alone. */
export async function* readRows(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<ResultRow[]> {
  for await (const rows of readPlacedRows(chunks, name)) yield rows.map(({ row }) => row);
}

/** @param text a line of a file, the first one maybe. @throws UserError where it is no row */
export function parseRow(text: string, name: string): ResultRow {
  try {
    return rowSchema.parse(JSON.parse(text.replace(byteOrderMark, '')));
  } catch (cause) {
    throw new UserError(`${name}: expected a row of results, found ${text.slice(0, 60)}`, {
      cause,
    });
  }
}

const byteOrderMark = /^\uFEFF/;

const rowSchema = z.union([partRowSchema, reviewedRowSchema]);

/** A row that says where the model looked for each word has some hundred KB. */
const lineBytesMax = 16 * 2 ** 20;
const rowsAtOnce = 64;

const lineFeed = 0x0a;

/** Lines as bytes, which have places in a file as texts do not; the last one may be without end. */
async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<{ line: Buffer; number: number; position: number }> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let number = 1;
  let position = 0;
  const take = (piece: Uint8Array) => {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > lineBytesMax) {
      const limit = `${lineBytesMax / 2 ** 20} MB`;
      throw new UserError(
        `${name}, line ${number}: longer than ${limit}. Expected a row of results a line.`,
      );
    }
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      take(chunk.subarray(start, end));
      yield { line: Buffer.concat(pieces), number, position };
      number += 1;
      position += bytes + 1;
      pieces = [];
      bytes = 0;
      start = end + 1;
    }
    take(chunk.subarray(start));
  }
  if (bytes > 0) yield { line: Buffer.concat(pieces), number, position };
}
