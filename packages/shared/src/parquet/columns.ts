import type { SchemaElement } from 'hyparquet';

/**
 * What a table of rows is in Parquet: columns of a few kinds, and how each looks in the schema of a
 * file.
 */

/** An element of a list whose elements have parts. */
interface CandidateValue {
  caption: string;
  logProb: number | null;
  score: number | null;
}

/** A column, and its value of a row; what is undefined or null is null in the file. */
export type TableColumn<Row> = {
  readonly name: string;
  /** Whether no row is without it. */
  readonly isRequired?: true;
} & (
  | { readonly kind: 'text'; readonly of: (row: Row) => string | null | undefined }
  | {
      /** Whole numbers are those of 32 bits. */
      readonly kind: 'number' | 'whole number';
      readonly of: (row: Row) => number | null | undefined;
    }
  | { readonly kind: 'texts'; readonly of: (row: Row) => readonly string[] | undefined }
  | {
      readonly kind: 'candidates';
      readonly of: (row: Row) => readonly CandidateValue[] | undefined;
    }
  | {
      /** A structure of texts. */
      readonly kind: 'fields';
      readonly names: readonly string[];
      readonly of: (row: Row) => Readonly<Record<string, string>> | undefined;
    }
);

/** The schema of a file. */
export function schemaOf<Row>(columns: readonly TableColumn<Row>[]): SchemaElement[] {
  return [{ name: 'rows', num_children: columns.length }, ...columns.flatMap(elementsOf)];
}

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

/** A column of the schema, and what is below it. */
function elementsOf<Row>(column: TableColumn<Row>): SchemaElement[] {
  const { name, kind, isRequired } = column;
  switch (kind) {
    case 'fields': {
      const fields = column.names.map((field) => ({ name: field, ...optional, ...text }));
      return [{ name, ...optional, num_children: fields.length }, ...fields];
    }
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
    default:
      return [{ name, ...(isRequired ? required : optional), ...types[kind] }];
  }
}

function listOf(name: string): SchemaElement[] {
  const list = { converted_type: 'LIST', logical_type: { type: 'LIST' } } as const;
  return [
    { name, ...optional, num_children: 1, ...list },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  ];
}
