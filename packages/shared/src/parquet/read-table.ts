import type { AsyncBuffer, FileMetaData, RowGroup } from 'hyparquet';
import { loadParquet } from './load-parquet.ts';

/** What the statistics of a row group say of a column: of texts they may be cut short. */
export interface ColumnRange {
  /** No value is less, and none is greater; undefined where it is not said. */
  min: string | number | undefined;
  max: string | number | undefined;
  nulls: number | undefined;
}

/** A Parquet file in memory, of which columns and row groups are decoded as they are wanted. */
export class ParquetTable {
  readonly rows: number;
  /** Where each row group begins, and how many rows it has. */
  readonly groups: readonly { start: number; rows: number }[];
  readonly #file: AsyncBuffer;
  readonly #metadata: FileMetaData;

  private constructor(file: AsyncBuffer, metadata: FileMetaData) {
    this.#file = file;
    this.#metadata = metadata;
    let rows = 0;
    this.groups = metadata.row_groups.map(({ num_rows }) => {
      const start = rows;
      rows += Number(num_rows);
      return { start, rows: Number(num_rows) };
    });
    this.rows = rows;
  }

  /** @throws Error where it is no such file */
  static async open(bytes: Uint8Array): Promise<ParquetTable> {
    const { reader } = await loadParquet();
    const file = fileOf(bytes);
    return new ParquetTable(file, await reader.parquetMetadataAsync(file, { geoparquet: false }));
  }

  /** What the footer says besides. */
  get metadata(): Record<string, string> {
    const pairs = this.#metadata.key_value_metadata ?? [];
    return Object.fromEntries(pairs.map(({ key, value }) => [key, value ?? '']));
  }

  /**
   * Rows from `start` up to, but not including, `end`, as objects.
   * @param columns these alone; all where nothing is said
   */
  async read(
    { start = 0, end = this.rows }: { start?: number; end?: number } = {},
    columns?: readonly string[],
  ): Promise<Record<string, unknown>[]> {
    const { reader, decompressors } = await loadParquet();
    return reader.parquetReadObjects({
      file: this.#file,
      metadata: this.#metadata,
      compressors: decompressors,
      ...(columns && { columns: [...columns] }),
      rowStart: start,
      rowEnd: end,
    });
  }

  /** @param group its number; undefined of a column that has none (a list, say) */
  rangeOf(group: number, column: string): ColumnRange | undefined {
    const found = this.#metadata.row_groups[group]?.columns.find(({ meta_data }) =>
      isColumn(meta_data?.path_in_schema, column),
    );
    const statistics = found?.meta_data?.statistics;
    if (!statistics) return undefined;
    const { min_value, max_value, min, max, null_count } = statistics;
    return {
      min: plain(min_value ?? min),
      max: plain(max_value ?? max),
      nulls: null_count === undefined ? undefined : Number(null_count),
    };
  }
}

function isColumn(path: RowGroup['columns'][number]['file_path'] | string[], column: string) {
  return Array.isArray(path) && path.length === 1 && path[0] === column;
}

function plain(value: unknown): string | number | undefined {
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}

function fileOf(bytes: Uint8Array): AsyncBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  return {
    byteLength,
    slice: (start, end = byteLength) =>
      buffer.slice(byteOffset + start, byteOffset + end) as ArrayBuffer,
  };
}
