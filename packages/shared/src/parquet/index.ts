export type { TableColumn } from './columns.ts';
export { loadParquet } from './load-parquet.ts';
export { type ColumnRange, ParquetTable } from './read-table.ts';
export { type TableOptions, writeTable } from './write-table.ts';
