import { type TableColumn, writeTable } from '@cutline/shared/parquet';
import { columns, type ExportedRow, type RowBatches } from './columns.ts';

/** Apache Parquet, Snappy, which all that reads Parquet reads; what rows carry is one structure. */
export function parquetOf(
  rows: RowBatches,
  {
    carried = [],
    ...options
  }: { metadata: Record<string, string>; carried?: readonly string[]; rowsOfGroupMax?: number },
): AsyncGenerator<Uint8Array> {
  const source: TableColumn<ExportedRow> = {
    name: 'source',
    kind: 'fields',
    names: carried,
    of: ({ row }) => row.source,
  };
  const all = carried.length > 0 ? [...columns, source] : columns;
  return writeTable(rows, { columns: all, codec: 'SNAPPY', createdBy, ...options });
}

/** Whether a file is one of those: its footer says who made it. */
export function isOwnParquet(head: string, tail: string): boolean {
  return head.startsWith('PAR1') && tail.endsWith('PAR1') && tail.includes(createdBy);
}

const createdBy = 'cutline export';
