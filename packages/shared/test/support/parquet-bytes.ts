import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';

/** A table in Parquet, with row groups of so many rows. */
export function parquetBytes(columnData: ColumnSource[], rowGroupSize = 1_000): Buffer {
  return Buffer.from(parquetWriteBuffer({ columnData, rowGroupSize, statistics: true }));
}
