import type { ParquetWriter } from 'hyparquet-writer';
import { type Column, columnsOf, type ExportedRow, type RowBatches } from './columns.ts';

/**
 * Apache Parquet, Snappy, with statistics. Rows are gathered into row groups of a bounded size, and
 * forgotten once theirs is written.
 */
export async function* parquetOf(
  rows: RowBatches,
  {
    metadata,
    carried = [],
    rowsOfGroupMax = 20_000,
  }: { metadata: Record<string, string>; carried?: readonly string[]; rowsOfGroupMax?: number },
): AsyncGenerator<Uint8Array> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({
    writer,
    schema: schemaOf(carried),
    createdBy,
    kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });
  const takeBytes = () => {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  };
  let group = emptyGroup(carried);
  const writeGroup = () => {
    void parquet.write({ columnData: group.columns, rowGroupSize: rowsOfGroupMax });
    group = emptyGroup(carried);
    return takeBytes();
  };
  for await (const batch of rows) {
    for (const row of batch) {
      addRow(group, row);
      if (group.rows >= rowsOfGroupMax || group.characters >= charactersOfGroupMax) {
        yield writeGroup();
      }
    }
  }
  if (group.rows > 0) yield writeGroup();
  void parquet.finish();
  yield takeBytes();
}

/** Whether a file is one of those: its footer says who made it. */
export function isOwnParquet(head: string, tail: string): boolean {
  return head.startsWith('PAR1') && tail.endsWith('PAR1') && tail.includes(createdBy);
}

const createdBy = 'cutline export';

/** Of all texts of a row group: some tens of MB, all told. */
const charactersOfGroupMax = 8 * 2 ** 20;

/** Rows that are not written yet. */
interface RowGroup {
  rows: number;
  characters: number;
  /** In the order of `columns`; last, where rows carry something, what that is. */
  columns: { name: string; data: unknown[] }[];
}

const columns = columnsOf([]);

function emptyGroup(carried: readonly string[]): RowGroup {
  const names = [...columns.map(({ name }) => name), ...(carried.length > 0 ? ['source'] : [])];
  return { rows: 0, characters: 0, columns: names.map((name) => ({ name, data: [] })) };
}

function addRow(group: RowGroup, row: ExportedRow): void {
  group.rows += 1;
  for (const [index, column] of columns.entries()) {
    const value = column.of(row) ?? null;
    group.columns[index]?.data.push(value);
    group.characters += lengthOf(value);
  }
  const { source } = row.row;
  group.columns[columns.length]?.data.push(source ?? null);
  for (const text of Object.values(source ?? {})) group.characters += text.length;
}

function lengthOf(value: ReturnType<Column['of']>): number {
  if (typeof value === 'string') return value.length;
  if (!Array.isArray(value)) return 0;
  return value.reduce(
    (sum, each) => sum + (typeof each === 'string' ? each : each.caption).length,
    0,
  );
}

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

const text = {
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
} as const;
const types = { text, number: { type: 'DOUBLE' }, 'whole number': { type: 'INT32' } } as const;
const [required, optional] = [
  { repetition_type: 'REQUIRED' },
  { repetition_type: 'OPTIONAL' },
] as const;

function schemaOf(carried: readonly string[]): SchemaElement[] {
  const source = carried.map((name) => ({ name, ...optional, ...text }));
  return [
    { name: 'rows', num_children: columns.length + (carried.length > 0 ? 1 : 0) },
    ...columns.flatMap(elementsOf),
    ...(carried.length > 0 ? [{ name: 'source', ...optional, num_children: source.length }] : []),
    ...source,
  ];
}

/** A column of the schema, and what is below it. */
function elementsOf({ name, kind }: Column): SchemaElement[] {
  switch (kind) {
    case 'texts':
      return [...listOf(name), { name: 'element', ...required, ...text }];
    case 'candidates':
      return [
        ...listOf(name),
        { name: 'element', ...required, num_children: 3 },
        { name: 'caption', ...required, ...text },
        { name: 'logProb', ...optional, ...types.number },
        { name: 'score', ...optional, ...types.number },
      ];
    default: {
      const isAlwaysThere = ['key', 'status', 'attempt'].includes(name);
      return [{ name, ...(isAlwaysThere ? required : optional), ...types[kind] }];
    }
  }
}

function listOf(name: string): SchemaElement[] {
  const list = { converted_type: 'LIST', logical_type: { type: 'LIST' } } as const;
  return [
    { name, ...optional, num_children: 1, ...list },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  ];
}
