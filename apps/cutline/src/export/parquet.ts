import { writeTable } from '@cutline/shared/parquet';
import { columns, type RowBatches } from './columns.ts';

/** Apache Parquet, Snappy, which all that reads Parquet reads. */
export function parquetOf(
  rows: RowBatches,
  options: { metadata: Record<string, string>; rowsOfGroupMax?: number },
): AsyncGenerator<Uint8Array> {
  return writeTable(rows, { columns, codec: 'SNAPPY', createdBy, ...options });
}

/** Whether a file is one of those: its footer says who made it. */
export function isOwnParquet(head: string, tail: string): boolean {
  return head.startsWith('PAR1') && tail.endsWith('PAR1') && tail.includes(createdBy);
}

const createdBy = 'cutline export';
