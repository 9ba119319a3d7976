import {
  type CompressionCodec,
  type Compressors,
  type FileMetaData,
  parquetMetadata,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import type { ColumnMetaData, DecodedArray } from 'hyparquet/src/types.js';
import { describeError, UserError } from '../../../errors.ts';
import { decompressorsOf } from '../../../parquet/decompressors.ts';
import type { ListFile } from '../list-file.ts';
import { type ColumnChunk, columnPages } from './column-pages.ts';

/**
 * Tables in Parquet, read in order, with a few pages of each column in memory, however large the
 * row groups are. Only columns that are not nested are seen.
 *
 * What the file says of itself (lengths, counts, places) is held against what is there: a damaged
 * file is refused in one line, and costs no more memory than an intact one.
 */
export interface ParquetTable {
  /** Of the columns, in their order. */
  readonly names: readonly string[];
  /**
   * @param places of the columns that are wanted, in `names`
   * @throws UserError where the file is damaged
   */
  blocks(places: readonly number[]): AsyncGenerator<Block>;
}

/** Some rows. */
export interface Block {
  /** Of the first, in the file, from 0. */
  start: number;
  rows: number;
  /** Of the wanted column n, in row i of the block. */
  cell(n: number, i: number): unknown;
}

/** @param name for messages */
export async function openParquet(file: ListFile, name: string): Promise<ParquetTable> {
  return orRefuse(name, async () => {
    const metadata = await readFooter(file);
    const columns = parquetSchema(metadata).children.filter(
      ({ children, element }) => children.length === 0 && element.repetition_type !== 'REPEATED',
    );
    return {
      names: columns.map(({ element }) => element.name),
      blocks: (places) =>
        readBlocks(
          file,
          name,
          metadata,
          places.map((place) => columns[place] as SchemaTree),
        ),
    };
  });
}

/** Of thousands of row groups with many columns. */
const footerBytesMax = 16 * 1024 * 1024;

async function readFooter(file: ListFile): Promise<FileMetaData> {
  const { sizeBytes } = file;
  if (sizeBytes < 12) throw new Error('it is cut off');
  const end = await file.read(sizeBytes - 8, sizeBytes);
  if (Buffer.from(end.subarray(4)).toString('latin1') !== 'PAR1') {
    throw new Error('its footer is missing: it is cut off, or encrypted');
  }
  const bytes = new DataView(end.buffer).getUint32(0, true);
  if (bytes > Math.min(footerBytesMax, sizeBytes - 12)) {
    throw new Error(`its footer is said to have ${bytes} bytes`);
  }
  const footer = await file.read(sizeBytes - 8 - bytes, sizeBytes);
  const metadata = parquetMetadata(footer, { geoparquet: false });
  const rows = metadata.row_groups.reduce((sum, group) => sum + BigInt(group.num_rows), 0n);
  if (rows !== BigInt(metadata.num_rows)) {
    throw new Error(`it is said to have ${metadata.num_rows} rows, and its row groups ${rows}`);
  }
  return metadata;
}

async function* readBlocks(
  file: ListFile,
  name: string,
  metadata: FileMetaData,
  wanted: readonly SchemaTree[],
): AsyncGenerator<Block> {
  const root = parquetSchema(metadata);
  const compressors = await decompressorsOf(codecsOf(metadata));
  let start = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const cursors = await orRefuse(name, async () =>
      wanted.map((column) => {
        const chunk = group.columns.find(({ meta_data }) => isOf(column, meta_data));
        if (!chunk?.meta_data || chunk.file_path) throw new Error('a column is in another file');
        return new Cursor(
          columnPages(file, chunkOf(file, { root, column, compressors }, chunk.meta_data, rows)),
        );
      }),
    );
    for (let row = 0; row < rows; ) {
      const block = await orRefuse(name, async () => {
        const left = Math.min(...(await Promise.all(cursors.map((cursor) => cursor.left()))));
        if (left === 0) throw new Error(`a row group is said to have ${rows} rows, and has ${row}`);
        return { start: start + row, rows: left, ...cellsOf(cursors) };
      });
      yield block;
      row += block.rows;
      for (const cursor of cursors) cursor.skip(block.rows);
    }
    await orRefuse(name, async () => {
      for (const cursor of cursors) {
        if ((await cursor.left()) > 0)
          throw new Error(`a row group has more than its ${rows} rows`);
      }
    });
    start += rows;
  }
}

function isOf(column: SchemaTree, chunk: ColumnMetaData | undefined): boolean {
  return chunk?.path_in_schema.length === 1 && chunk.path_in_schema[0] === column.element.name;
}

/** What pages of a column are decoded with. */
interface Known {
  root: SchemaTree;
  column: SchemaTree;
  compressors: Compressors;
}

function codecsOf({ row_groups }: FileMetaData): Set<CompressionCodec> {
  const chunks = row_groups.flatMap(({ columns }) => columns.map(({ meta_data }) => meta_data));
  return new Set(chunks.flatMap((chunk) => (chunk ? [chunk.codec] : [])));
}

function chunkOf(
  file: ListFile,
  { root, column, compressors }: Known,
  chunk: ColumnMetaData,
  rows: number,
): ColumnChunk {
  const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const end = start + Number(chunk.total_compressed_size);
  if (!(start >= 4 && end >= start && end <= file.sizeBytes)) {
    throw new Error(`the column ${column.element.name} is not within the file`);
  }
  const { element } = column;
  const { type, codec } = chunk;
  const { path: pathInSchema } = column;
  const decoder = { pathInSchema, type, element, schemaPath: [root, column], codec };
  return { decoder: { ...decoder, compressors, parsers: DEFAULT_PARSERS }, start, end, rows };
}

function cellsOf(cursors: readonly Cursor[]): Pick<Block, 'cell'> {
  const pages = cursors.map(({ page, at }) => ({ page, at }));
  return {
    cell(n, i) {
      const { page, at } = pages[n] as (typeof pages)[number];
      return page[at + i];
    },
  };
}

/** Where a column was read to. */
class Cursor {
  page: DecodedArray = [];
  at = 0;
  readonly #pages: AsyncGenerator<DecodedArray>;

  constructor(pages: AsyncGenerator<DecodedArray>) {
    this.#pages = pages;
  }

  /** Values of the page that are left; 0 at the end of the column. */
  async left(): Promise<number> {
    while (this.at >= this.page.length) {
      const { value, done } = await this.#pages.next();
      if (done) return 0;
      this.page = value;
      this.at = 0;
    }
    return this.page.length - this.at;
  }

  skip(rows: number): void {
    this.at += rows;
  }
}

async function orRefuse<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    // What a decoder stumbles over in a damaged file; the store's own errors are told as they are.
    const isOwn = error instanceof UserError || (error as Error).name === 'StoreError';
    if (isOwn || (error as NodeJS.ErrnoException).code !== undefined) throw error;
    throw new UserError(
      `The list of keys ${name} is Parquet that cannot be read: ${describeError(error)}.`,
      { cause: error },
    );
  }
}
