import { z } from 'zod';
import { UserError } from '../errors.ts';
import { splitLines } from '../listing/split-lines.ts';
import { partRowSchema } from './part.ts';
import { type ResultRow, reviewedRowSchema } from './reviews/reviewed-row.ts';

/**
 * Rows of JSON Lines that are too long to be read at once: what `cutline caption -o` and
 * `cutline export --to jsonl` write.
 *
 * @param name of the text, for messages
 * @returns rows in their order, a few at a time
 * @throws UserError with the number of a line that is no row
 */
export async function* readRows(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<ResultRow[]> {
  let rows: ResultRow[] = [];
  let line = 0;
  const rules = { lengthMax: lineLengthMax, expected: 'a row of results a line' };
  for await (const text of splitLines(chunks, name, rules)) {
    line += 1;
    if (text === '') continue;
    rows.push(parseRow(text, `${name}, line ${line}`));
    if (rows.length < rowsAtOnce) continue;
    yield rows;
    rows = [];
  }
  yield rows;
}

/** A row that says where the model looked for each word has some hundred KB. */
const lineLengthMax = 16 * 2 ** 20;
const rowsAtOnce = 64;

const rowSchema = z.union([partRowSchema, reviewedRowSchema]);

function parseRow(text: string, name: string): ResultRow {
  try {
    return rowSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new UserError(`${name}: expected a row of results, found ${text.slice(0, 60)}`, {
      cause,
    });
  }
}
