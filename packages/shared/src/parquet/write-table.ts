import { schemaOf, type TableColumn } from './columns.ts';
import { loadParquet } from './load-parquet.ts';

export interface TableOptions<Row> {
  columns: readonly TableColumn<Row>[];
  codec: 'SNAPPY' | 'ZSTD';
  /** What the footer says of who made it. */
  createdBy: string;
  metadata: Record<string, string>;
  rowsOfGroupMax?: number;
}

/**
 * Apache Parquet, with statistics. Rows are gathered into row groups of a bounded size, and
 * forgotten once theirs is written.
 *
 * @returns the bytes of the file, a row group at a time
 */
export async function* writeTable<Row>(
  rows: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>,
  { columns, codec, createdBy, metadata, rowsOfGroupMax = 20_000 }: TableOptions<Row>,
): AsyncGenerator<Uint8Array> {
  const { writer: library, compressZstandard } = await loadParquet();
  const writer = new library.ByteWriter();
  const parquet = new library.ParquetWriter({
    writer,
    schema: schemaOf(columns),
    codec,
    compressors: { ZSTD: compressZstandard },
    createdBy,
    kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });
  const takeBytes = () => {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  };
  let group = new RowGroup(columns);
  const writeGroup = () => {
    void parquet.write({ columnData: group.data, rowGroupSize: rowsOfGroupMax });
    group = new RowGroup(columns);
    return takeBytes();
  };
  for await (const batch of rows) {
    for (const row of batch) {
      group.add(row);
      if (group.rows >= rowsOfGroupMax || group.characters >= charactersOfGroupMax) {
        yield writeGroup();
      }
    }
  }
  if (group.rows > 0) yield writeGroup();
  void parquet.finish();
  yield takeBytes();
}

/** Of all texts of a row group: some tens of MB, all told. */
const charactersOfGroupMax = 8 * 2 ** 20;

/** Rows that are not written yet. */
class RowGroup<Row> {
  rows = 0;
  characters = 0;
  /** In the order of columns. */
  readonly data: { name: string; data: unknown[] }[];
  readonly #columns: readonly TableColumn<Row>[];

  constructor(columns: readonly TableColumn<Row>[]) {
    this.#columns = columns;
    this.data = columns.map(({ name }) => ({ name, data: [] }));
  }

  add(row: Row): void {
    this.rows += 1;
    for (const [index, column] of this.#columns.entries()) {
      const value = column.of(row) ?? null;
      this.data[index]?.data.push(value);
      this.characters += lengthOf(value);
    }
  }
}

function lengthOf(value: ReturnType<TableColumn<unknown>['of']>): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  const texts = Array.isArray(value) ? value : Object.values(value);
  return texts.reduce(
    (sum, each) => sum + (typeof each === 'string' ? each : each.caption).length,
    0,
  );
}
