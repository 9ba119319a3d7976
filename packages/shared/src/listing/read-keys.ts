import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { parse as parseCsv } from 'csv-parse';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import type { ObjectStore } from '../stores/object-store.ts';
import { cannotRead, openList, type Stores, withoutCompression } from './open-list.ts';
import { SeenKeys } from './seen-keys.ts';
import { splitLines } from './split-lines.ts';

/** A key as listed; what a list of keys does not say is undefined. */
export interface ListedKey {
  key: string;
  etag?: string | undefined;
  bytes?: number | undefined;
  /** By name, those that were asked for and are there. */
  columns?: Record<string, string> | undefined;
  /** It has to be restored first. */
  archived?: boolean | undefined;
  /** The list named this key before. */
  duplicate?: boolean | undefined;
}

/** Rows of a manifest or of a run's results will do as well as objects with a key alone. */
const jsonKeySchema = z.union([
  z
    .string()
    .min(1)
    .transform((key) => ({ key, fields: {} as Record<string, unknown> })),
  z
    .looseObject({
      key: z.string().min(1),
      etag: z.string().nullish(),
      bytes: z.int().nonnegative().nullish(),
    })
    .transform(({ key, etag, bytes, ...fields }) => ({
      key,
      etag: etag ?? undefined,
      bytes: bytes ?? undefined,
      fields,
    })),
]);

/** A row of the list, and where it is, for messages. */
interface Row extends ListedKey {
  line: number;
}

/**
 * Reads a list of keys, one row at a time. The format follows from the name, without `.gz` or
 * `.zst`: `.csv` or `.tsv` (a column named `key`, `filename` or `path`, else the first), and
 * otherwise lines, where those that start with `{` or `"` are JSON (objects with `key`, or strings).
 * Keys may be written as whole URLs of the source.
 *
 * Repetitions are marked, however long the list is: see `SeenKeys`.
 *
 * @param from a path, an s3:// URL, or `-` for stdin.
 * @param stores opens the list's own store, where that is another than the source.
 * @param columns of the list, that are handed on with the keys
 * @throws UserError naming the line that is wrong.
 */
export async function* readKeys(
  from: string,
  source: ObjectStore,
  stores?: Stores,
  columns: readonly string[] = [],
): AsyncGenerator<ListedKey> {
  const name = from === '-' ? 'stdin' : from;
  const extension = extname(withoutCompression(from)).toLowerCase();
  const stream = await openList(from, source, stores);
  const rows =
    extension === '.csv' || extension === '.tsv'
      ? readCsv(stream, extension === '.tsv' ? '\t' : ',', name, columns)
      : readLines(stream, name, columns);
  const seen = new SeenKeys();
  try {
    for await (const { line, ...row } of rows) {
      const key = withoutStore(row.key, source, `${name}, line ${line}`);
      yield { ...row, key, duplicate: seen.add(key) };
    }
  } catch (error) {
    throw error instanceof UserError ? error : cannotRead(name, error);
  } finally {
    seen.close();
  }
}

async function* readLines(
  stream: Readable,
  name: string,
  columns: readonly string[],
): AsyncGenerator<Row> {
  let line = 0;
  for await (const text of splitLines(stream, name)) {
    line += 1;
    if (text.trim() === '') continue;
    if (!text.startsWith('{') && !text.startsWith('"')) {
      yield { line, key: text };
      continue;
    }
    const parsed = jsonKeySchema.safeParse(parseJson(text));
    if (!parsed.success) {
      throw new UserError(
        `${name}, line ${line}: expected {"key": "…"} or a string, found ${text.slice(0, 60)}`,
      );
    }
    const { fields, ...row } = parsed.data;
    yield { line, ...row, ...carried(columns, (column) => fields[column]) };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function* readCsv(
  stream: Readable,
  delimiter: string,
  name: string,
  columns: readonly string[],
): AsyncGenerator<Row> {
  const parser = parseCsv({
    delimiter,
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: recordLengthMax,
    // Tab-separated values have no quotes: one in a key is a part of it.
    quote: delimiter === '\t' ? null : '"',
  });
  stream.once('error', (error) => parser.destroy(error)); // which pipe does not pass on
  let column: number | undefined;
  let header: string[] = [];
  for await (const { record, info } of stream.pipe(parser) as AsyncIterable<CsvRow>) {
    if (column === undefined) {
      header = record.map((cell) => cell.trim().toLowerCase());
      const named = keyColumns.map((name) => header.indexOf(name)).find((at) => at >= 0) ?? -1;
      column = Math.max(0, named);
      if (named < 0) header = [];
      requireColumns(columns, header, name);
      if (named >= 0) continue;
    }
    const key = record[column];
    const cell = (column: string) => record[header.indexOf(column.toLowerCase())];
    if (key) yield { line: info.lines, key, ...carried(columns, cell) };
  }
}

/** How the column of keys may be called; the first that is there is it. */
const keyColumns = ['key', 'filename', 'path'];

function requireColumns(columns: readonly string[], header: readonly string[], name: string): void {
  const missing = columns.find((column) => !header.includes(column.toLowerCase()));
  if (missing === undefined) return;
  const found = header.length > 0 ? `its columns are ${header.join(', ')}` : 'it names no columns';
  throw new UserError(
    `The list of keys ${name} has no column "${missing}", for which the model's prompt has a place: ` +
      `${found}.`,
  );
}

/** Of a cell, in characters: it goes into a prompt. */
const cellLengthMax = 2_000;

function carried(
  columns: readonly string[],
  cellOf: (column: string) => unknown,
): { columns?: Record<string, string> } {
  const found = columns.flatMap((column): [string, string][] => {
    const value = cellOf(column);
    if (value === undefined || value === null || value === '') return [];
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    return [[column, text.slice(0, cellLengthMax)]];
  });
  return found.length > 0 ? { columns: Object.fromEntries(found) } : {};
}

/** A quote that is not closed would otherwise take all that follows for one cell. */
const recordLengthMax = 64 * 1024;

interface CsvRow {
  record: string[];
  info: { lines: number };
}

function withoutStore(key: string, source: ObjectStore, where: string): string {
  if (key.startsWith(`${source.url}/`)) return key.slice(source.url.length + 1);
  if (!/^s3:\/\//i.test(key)) return key;
  throw new UserError(`${where}: ${key} is not in ${source.url}, where this run's images are.`);
}
