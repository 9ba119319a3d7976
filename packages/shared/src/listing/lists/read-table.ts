import { UserError } from '../../errors.ts';
import {
  carriedOf,
  findKeyColumn,
  placeOf,
  requireColumns,
  type WantedColumns,
} from './list-columns.ts';
import type { ListRow } from './list-row.ts';

/**
 * Tables as text: values separated by commas, by semicolons (as spreadsheet programs write them in
 * most of Europe) or by tabs. Which of them it is, the head says: the line that names the columns.
 * A table without a head has commas, and its keys in the first column.
 */

/** How a table is to be read. */
export interface TableForm {
  delimiter: string;
  /** Lines before the head. */
  skippedLines: number;
}

/**
 * @param head of the text
 * @param extension of its name
 * @returns undefined for a text that is no table
 * @throws UserError where it has semicolons, and no head that says what they are
 */
export function tableForm(
  head: string,
  { name, extension, wanted }: { name: string; extension: string; wanted: WantedColumns },
): TableForm | undefined {
  const text = head.replace(/^\uFEFF/, '');
  if (extension === '.tsv') return { delimiter: '\t', skippedLines: 0 };
  const said = /^"?sep=([,;\t|])"?\r?\n/i.exec(text); // which Excel takes for its first line
  if (said?.[1]) return { delimiter: said[1], skippedLines: 1 };
  const [first = ''] = text.split(/\r?\n/, 1);
  const isHead = (delimiter: string) => {
    const names = first.split(delimiter).map((cell) => cell.replaceAll('"', ''));
    const usual = findKeyColumn(names, {}, name) >= 0;
    const named = wanted.keyColumn !== undefined && placeOf(names, wanted.keyColumn) >= 0;
    return names.length > 1 && (usual || named);
  };
  const delimiter = [',', ';', '\t'].find(isHead);
  if (delimiter !== undefined) return { delimiter, skippedLines: 0 };
  if (extension !== '.csv') return undefined;
  if (first.includes(';') && !first.includes(',')) {
    throw new UserError(
      `The list of keys ${name} has semicolons, and no head that says where its keys are: give it ` +
        'one, with "key" over them, or name their column (--key-column). If keys have semicolons, ' +
        'call it .txt.',
    );
  }
  return { delimiter: ',', skippedLines: 0 };
}

/**
 * @param name of the list, for messages
 * @throws UserError naming a column that is wanted, and not there; CsvError naming a line
 */
export async function* readTable(
  pieces: AsyncIterable<Uint8Array>,
  { delimiter, skippedLines }: TableForm,
  name: string,
  wanted: WantedColumns,
): AsyncGenerator<ListRow[]> {
  let head: { place: number; names: readonly string[] } | undefined;
  const options = { delimiter, from_line: skippedLines + 1 };
  for await (const records of parseTable(pieces, options)) {
    const rows: ListRow[] = [];
    for (const { record, info } of records) {
      if (head === undefined) {
        const found = findKeyColumn(record, wanted, name);
        head = { place: Math.max(0, found), names: found < 0 ? [] : record };
        requireColumns(wanted, head.names, name);
        if (found >= 0) continue;
      }
      const { place, names } = head;
      const key = record[place];
      const cellOf = (column: string) => record[placeOf(names, column)];
      const where = () => `${name}, line ${info.lines}`;
      if (key) rows.push({ at: info.lines, key, ...carriedOf(wanted, cellOf, where) });
    }
    yield rows;
  }
}

/** Records of a table, with the line on which each ends; many at a time. */
export async function* parseTable(
  pieces: AsyncIterable<Uint8Array>,
  options: { delimiter: string; from_line?: number },
): AsyncGenerator<TableRow[]> {
  const { parse } = await import('csv-parse');
  const parser = parse({
    ...options,
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: recordLengthMax,
    // Tab-separated values have no quotes: one in a key is a part of it.
    quote: options.delimiter === '\t' ? null : '"',
  });
  parser.on('error', () => {}); // of which each write tells, too, or what is left
  // To iterate over the parser would cost some promises a record: that is for the last ones.
  for await (const piece of pieces) {
    const written = new Promise<void>((resolve, reject) => {
      parser.write(piece, (error) => (error ? reject(error) : resolve()));
    });
    const rows = takeAll(parser);
    await written;
    yield [...rows, ...takeAll(parser)];
  }
  parser.end();
  for await (const row of parser) yield [row];
}

function takeAll(parser: { read(): TableRow | null }): TableRow[] {
  const rows: TableRow[] = [];
  for (let row = parser.read(); row !== null; row = parser.read()) rows.push(row);
  return rows;
}

/** A quote that is not closed would otherwise take all that follows for one cell. */
const recordLengthMax = 64 * 1024;

export interface TableRow {
  record: string[];
  info: { lines: number };
}
