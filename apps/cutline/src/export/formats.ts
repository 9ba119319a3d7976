import { formatJsonLines, isRows } from '../terminal/print-rows.ts';
import type { RowBatches } from './columns.ts';
import { csvOf, isOwnCsv } from './csv.ts';
import { isOwnParquet, parquetOf } from './parquet.ts';
import { isOwnXlsx, xlsxOf } from './xlsx.ts';

/** The formats that are one file. */
export interface FileFormat {
  /** Whether a terminal would make nothing of it. */
  readonly isBinary: boolean;
  /** Takes rows as they come, and holds few of them at a time. */
  readonly write: (
    rows: RowBatches,
    options: { bom: boolean; metadata: Record<string, string>; carried: readonly string[] },
  ) => AsyncIterable<string | Uint8Array>;
  /** Whether a file is one that this made, by its ends. */
  readonly isOwn: (head: string, tail: string) => boolean;
}

export const fileFormats = {
  csv: { isBinary: false, write: csvOf, isOwn: isOwnCsv },
  xlsx: { isBinary: true, write: xlsxOf, isOwn: isOwnXlsx },
  parquet: { isBinary: true, write: parquetOf, isOwn: isOwnParquet },
  jsonl: { isBinary: false, write: jsonLinesOf, isOwn: isRows },
} satisfies Record<string, FileFormat>;

/** Whole rows, as they are in parts, with what people decided. */
async function* jsonLinesOf(rows: RowBatches): AsyncGenerator<string> {
  for await (const batch of rows) yield formatJsonLines(batch.map(({ row }) => row));
}
