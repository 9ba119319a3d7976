import type { TableColumn } from '@cutline/shared/parquet';
import type { CaptionedRow, FailedRow, ResultRow, ReviewedRow } from '@cutline/shared/run';

/**
 * What a row is in a table: the columns of CSV, Excel and Parquet, in their order. Where the model
 * looked, what became of sidecars and what an answer cost is left to JSON Lines, which has all.
 */

/**
 * A row that counts, with what people decided about it, and the attempt that made it (`0`, `3ra`:
 * see `attempt.ts` of the formats).
 */
export interface ExportedRow {
  row: ResultRow;
  attempt: string;
}

/** Rows of a run, as they are read from it. */
export type RowBatches = AsyncIterable<readonly ExportedRow[]>;

/** What rows carry has a column a field, and is one structure in Parquet alone. */
export type Column = Exclude<TableColumn<ExportedRow>, { kind: 'fields' }>;

/**
 * @param carried columns of the list of keys that rows carry, which come last: `source.id`. So a
 *   field of the structure `source` is called in DuckDB, and no column of Cutline's has that name.
 */
export function columnsOf(carried: readonly string[]): readonly Column[] {
  const own = carried.map((name): Column => {
    const of = ({ row }: ExportedRow) => row.source?.[name];
    return { name: `source.${name}`, kind: 'text', of };
  });
  return [...columns, ...own];
}

export const columns: readonly Column[] = [
  { name: 'key', isRequired: true, kind: 'text', of: ({ row }) => row.key },
  { name: 'etag', kind: 'text', of: ({ row }) => row.etag },
  { name: 'status', isRequired: true, kind: 'text', of: ({ row }) => row.status },
  {
    name: 'caption',
    kind: 'text',
    of: (exported) => (reviewed(exported) ?? captioned(exported))?.caption,
  },
  { name: 'score', kind: 'number', of: (exported) => captioned(exported)?.score },
  { name: 'logProb', kind: 'number', of: (exported) => captioned(exported)?.logProb },
  { name: 'candidates', kind: 'candidates', of: (exported) => captioned(exported)?.candidates },
  { name: 'class', kind: 'text', of: (exported) => failed(exported)?.failure.class },
  { name: 'message', kind: 'text', of: (exported) => failed(exported)?.failure.message },
  { name: 'reason', kind: 'text', of: ({ row }) => (row.status === 'skipped' ? row.reason : null) },
  { name: 'width', kind: 'whole number', of: (exported) => captioned(exported)?.width },
  { name: 'height', kind: 'whole number', of: (exported) => captioned(exported)?.height },
  { name: 'model', kind: 'text', of: (exported) => captioned(exported)?.model },
  { name: 'attempt', isRequired: true, kind: 'text', of: ({ attempt }) => attempt },
  { name: 'altText', kind: 'text', of: (exported) => captioned(exported)?.altText },
  { name: 'keywords', kind: 'texts', of: (exported) => captioned(exported)?.keywords },
  { name: 'visibleText', kind: 'text', of: (exported) => captioned(exported)?.visibleText },
  { name: 'warnings', kind: 'texts', of: (exported) => captioned(exported)?.warnings },
  { name: 'duplicateOf', kind: 'text', of: (exported) => captioned(exported)?.duplicateOf },
  { name: 'decision', kind: 'text', of: (exported) => reviewed(exported)?.decision },
  { name: 'reviewedBy', kind: 'text', of: (exported) => reviewed(exported)?.who },
  { name: 'reviewedAt', kind: 'text', of: (exported) => reviewed(exported)?.at },
  {
    name: 'modelCaption',
    kind: 'text',
    of: (exported) => (reviewed(exported) ? captioned(exported)?.caption : null),
  },
];

/** A column of a row, where a cell holds no more than a text or a number: lists are joined. */
export function cellOf(column: Column, exported: ExportedRow): string | number | null {
  switch (column.kind) {
    case 'texts':
      return column.of(exported)?.join(listSeparator) ?? null;
    case 'candidates': {
      const candidates = column.of(exported);
      return candidates?.map(({ caption }) => caption).join(listSeparator) ?? null;
    }
    default:
      return column.of(exported) ?? null;
  }
}

const listSeparator = ' | ';

function reviewed({ row }: ExportedRow): ReviewedRow | undefined {
  return row.status === 'reviewed' ? row : undefined;
}

/** What the model said, whatever people think of it. */
function captioned({ row }: ExportedRow): CaptionedRow | undefined {
  const own = row.status === 'reviewed' ? row.row : row;
  return own.status === 'captioned' ? own : undefined;
}

function failed({ row }: ExportedRow): FailedRow | undefined {
  return row.status === 'failed' ? row : undefined;
}
