import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../../errors.ts';
import { type ColumnRange, ParquetTable, writeTable } from '../../parquet/index.ts';
import { chunkNames } from '../chunk-name.ts';
import { isTaken } from '../json-objects.ts';
import { type Ledger4, sha256 } from '../ledger.ts';
import type { RunStore } from '../run-store.ts';
import { type AttemptedRow, resultColumns, rowOf } from './row-columns.ts';

/**
 * The results of a chunk of the manifest in one Parquet file: a row for each of its images, in their
 * order, with the attempt that made it. It takes the place of the chunk's parts once every image has
 * its row and a ledger names the file.
 */

/** `results/000000.parquet` in the run's folder; `results/000000.3.parquet` of generation 3. */
export const { nameOf: resultsName, parse: parseResultsName } = chunkNames('results', '.parquet');

/** They are decoded a row group at a time: readers hold no more than that of what they do not want. */
const rowsOfGroupMax = 2_048;

/**
 * The file of a chunk. It has been read back: its parts may go.
 * @param carried columns of the list of keys that rows of the run carry
 * @throws Error where it does not say what it was made from: it must not be written.
 */
export async function formatResults(
  rows: readonly AttemptedRow[],
  { metadata, carried = [] }: { metadata: Record<string, string>; carried?: readonly string[] },
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const options = {
    columns: resultColumns(carried),
    codec: 'ZSTD',
    createdBy: 'cutline',
    metadata,
    rowsOfGroupMax,
  } as const;
  for await (const piece of writeTable([rows], options)) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const again = await parseResults(bytes);
  const isSame = ({ row, attempt }: AttemptedRow, image: number) =>
    isDeepStrictEqual(again[image], { row, attempt, image });
  if (again.length !== rows.length || !rows.every(isSame)) {
    throw new Error('results as Parquet are others than the rows that they were made from');
  }
  return bytes;
}

/** All rows, in the order of the chunk's images. @throws Error where it is no such file */
export async function parseResults(bytes: Uint8Array): Promise<NumberedRow[]> {
  return selectResults(bytes, everything);
}

/** Which rows of a file are wanted, as far as its columns tell. */
export interface ResultsFilter {
  /** That it looks at, by name. */
  columns: readonly string[];
  /** Whether any of so many rows may be wanted, by the statistics of columns. */
  mayKeep: (rows: number, rangeOf: (column: string) => ColumnRange | undefined) => boolean;
  keeps: (values: Record<string, unknown>) => boolean;
}

const everything: ResultsFilter = { columns: [], mayKeep: () => true, keeps: () => true };

/** A row of a file, and the number of its image in the chunk. */
export interface NumberedRow extends AttemptedRow {
  image: number;
}

/**
 * The rows that are wanted, and of the others little more than what tells that they are not. What
 * columns do not say all of is taken: whoever wants to know looks at the row.
 */
async function selectResults(bytes: Uint8Array, filter: ResultsFilter): Promise<NumberedRow[]> {
  const table = await ParquetTable.open(bytes);
  const found: NumberedRow[] = [];
  for (const group of table.groups.keys()) {
    for (const row of await selectGroup(table, group, filter)) found.push(row);
  }
  return found;
}

async function selectGroup(
  table: ParquetTable,
  group: number,
  filter: ResultsFilter,
): Promise<NumberedRow[]> {
  const { start, rows } = table.groups[group]!;
  const { nulls } = table.rangeOf(group, 'json') ?? {};
  const isPlain = nulls === rows;
  if (isPlain && !filter.mayKeep(rows, (name) => table.rangeOf(group, name))) return [];
  const wanted = await wantedRows(table, { start, end: start + rows }, filter);
  const [first, last] = [wanted.indexOf(true), wanted.lastIndexOf(true)];
  if (first < 0) return [];
  const values = await table.read({ start: start + first, end: start + last + 1 });
  return values.flatMap((each, at) => {
    const image = start + first + at;
    const row = () => ({ row: rowOf(each), attempt: String(each.attempt), image });
    return wanted[first + at] ? [row()] : [];
  });
}

async function wantedRows(
  table: ParquetTable,
  range: { start: number; end: number },
  { columns, keeps }: ResultsFilter,
): Promise<boolean[]> {
  if (columns.length === 0) return Array.from({ length: range.end - range.start }, () => true);
  const values = await table.read(range, [...columns, 'json']);
  return values.map((each) => typeof each.json === 'string' || keeps(each));
}

/** @returns false where there is one of that name already. */
export async function createResults(run: RunStore, name: string, bytes: Buffer): Promise<boolean> {
  try {
    const contentType = 'application/vnd.apache.parquet';
    await run.store.put(run.prefix + name, bytes, { contentType, ifAbsent: true });
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

/**
 * The bytes that a ledger names. What is not as it was hashed is not decoded: it may say anything,
 * and decoders of Parquet go round in circles over some of it.
 *
 * @throws UserError where it was changed, StoreError where it is not there
 */
export async function getResultsFile(run: RunStore, results: NamedResults): Promise<Buffer> {
  const { bytes } = await run.store.get(run.prefix + results.name);
  if (sha256(bytes) === results.sha256) return bytes;
  throw notAsNamed(run.url + results.name);
}

/** @param url of a file of results, or of a part */
export function notAsNamed(url: string): UserError {
  return new UserError(
    `${url} is not the one that its ledger names: it is damaged, or was changed. Bring back an ` +
      'earlier version or a copy of it; "cutline verify" says what else is so.',
  );
}

/** @throws UserError where it is not as it was written, StoreError where it is not there */
export async function readResultsFile(
  run: RunStore,
  results: NamedResults,
): Promise<AttemptedRow[]> {
  const bytes = await getResultsFile(run, results);
  return parseResults(bytes).catch((cause) => {
    throw damaged(run, results.name, cause);
  });
}

/** As a ledger names it. */
type NamedResults = Pick<Ledger4['results'], 'name' | 'sha256'>;

/** A file whose rows are wanted in their order: what was decoded last is at hand, and no more. */
export class ResultsReader {
  readonly #name: { run: RunStore; name: string };
  readonly #bytes: Uint8Array;
  readonly #filter: ResultsFilter;
  #table: Promise<ParquetTable> | undefined;
  /** By their numbers. */
  readonly #groups = new Map<number, Promise<NumberedRow[]>>();

  /** @param bytes of the file of that name; nothing is decoded yet */
  constructor(run: RunStore, name: string, bytes: Uint8Array, filter = everything) {
    this.#name = { run, name };
    this.#bytes = bytes;
    this.#filter = filter;
  }

  /**
   * The rows of images from `start` up to, but not including, `end`.
   * @throws UserError where the file is not as this version writes it
   */
  async read(start: number, end: number): Promise<NumberedRow[]> {
    try {
      this.#table ??= ParquetTable.open(this.#bytes);
      const table = await this.#table;
      const found: NumberedRow[] = [];
      for (const [group, { start: first, rows }] of table.groups.entries()) {
        if (first >= end || first + rows <= start) continue;
        for (const row of await this.#readGroup(table, group)) {
          if (row.image >= start && row.image < end) found.push(row);
        }
      }
      return found;
    } catch (cause) {
      throw damaged(this.#name.run, this.#name.name, cause);
    }
  }

  #readGroup(table: ParquetTable, group: number): Promise<NumberedRow[]> {
    const read = this.#groups.get(group) ?? selectGroup(table, group, this.#filter);
    this.#groups.set(group, read);
    for (const other of this.#groups.keys()) if (other < group - 1) this.#groups.delete(other);
    return read;
  }
}

function damaged(run: RunStore, name: string, cause: unknown): UserError {
  const why = 'it is damaged, or of another version';
  return new UserError(`${run.url}${name} cannot be read: ${why}.`, { cause });
}
