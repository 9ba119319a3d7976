import { isDeepStrictEqual } from 'node:util';
import type { TableColumn } from '../../parquet/index.ts';
import { type CaptionedRow, type FailedRow, type PartRow, partRowSchema } from '../part.ts';

/** A row that counts, and the attempt that made it. */
export interface AttemptedRow {
  row: PartRow;
  attempt: string;
}

/**
 * The columns of a chunk's results, and the way back from them to its rows. Names are those of the
 * fields of a row, where it has them. What no column holds (sidecars that were kept, attention, text
 * that is not Unicode) makes a row stand whole in the last one, `json`: nothing of it is lost.
 *
 * @param carried columns of the list of keys that rows of the run carry
 */
export function resultColumns(carried: readonly string[]): readonly TableColumn<AttemptedRow>[] {
  // Of this name, objects have no field that could be set.
  const names = carried.filter((name) => name !== '__proto__');
  const own = [...plainColumns, ...(names.length > 0 ? [sourceColumn(names)] : [])];
  const of = ({ row }: AttemptedRow) => (isSaid(row, own) ? null : toJson(row));
  return [...own, { name: 'json', kind: 'text', of }];
}

/** Of what rows carry: a field for each column of the list of keys. */
function sourceColumn(names: readonly string[]): TableColumn<AttemptedRow> {
  const of = ({ row: { source } }: AttemptedRow) => source && pick(source, names);
  return { name: 'source', kind: 'fields', names, of };
}

const plainColumns: readonly TableColumn<AttemptedRow>[] = [
  { name: 'key', isRequired: true, kind: 'text', of: ({ row }) => row.key },
  { name: 'etag', kind: 'text', of: ({ row }) => row.etag },
  { name: 'status', isRequired: true, kind: 'text', of: ({ row }) => row.status },
  { name: 'caption', kind: 'text', of: ({ row }) => captioned(row)?.caption },
  { name: 'score', kind: 'number', of: ({ row }) => captioned(row)?.score },
  { name: 'logProb', kind: 'number', of: ({ row }) => captioned(row)?.logProb },
  { name: 'candidates', kind: 'candidates', of: ({ row }) => captioned(row)?.candidates },
  { name: 'class', kind: 'text', of: ({ row }) => failed(row)?.failure.class },
  { name: 'message', kind: 'text', of: ({ row }) => failed(row)?.failure.message },
  { name: 'reason', kind: 'text', of: ({ row }) => (row.status === 'skipped' ? row.reason : null) },
  { name: 'width', kind: 'whole number', of: ({ row }) => within32(captioned(row)?.width) },
  { name: 'height', kind: 'whole number', of: ({ row }) => within32(captioned(row)?.height) },
  { name: 'model', kind: 'text', of: ({ row }) => captioned(row)?.model },
  { name: 'attempt', isRequired: true, kind: 'text', of: ({ attempt }) => attempt },
  { name: 'altText', kind: 'text', of: ({ row }) => captioned(row)?.altText },
  { name: 'keywords', kind: 'texts', of: ({ row }) => captioned(row)?.keywords },
  { name: 'visibleText', kind: 'text', of: ({ row }) => captioned(row)?.visibleText },
  { name: 'warnings', kind: 'texts', of: ({ row }) => captioned(row)?.warnings },
  { name: 'duplicateOf', kind: 'text', of: ({ row }) => captioned(row)?.duplicateOf },
  {
    name: 'promptTokens',
    kind: 'whole number',
    of: ({ row }) => within32(usageOf(row)?.promptTokens),
  },
  {
    name: 'completionTokens',
    kind: 'whole number',
    of: ({ row }) => within32(usageOf(row)?.completionTokens),
  },
  { name: 'seconds', kind: 'number', of: ({ row }) => usageOf(row)?.seconds },
  { name: 'costUsd', kind: 'number', of: ({ row }) => usageOf(row)?.costUsd },
];

/**
 * The row that columns say.
 * @param values by the names of columns, of a row of the table
 * @throws Error where they say none
 */
export function rowOf(values: Record<string, unknown>): PartRow {
  const json = values.json;
  return partRowSchema.parse(typeof json === 'string' ? JSON.parse(json) : plainRow(values));
}

/** Fields in the order of those of a row; where there is nothing, there is no field. */
function plainRow(values: Record<string, unknown>): unknown {
  const { key, status, caption, candidates, width, height, model } = values;
  const { promptTokens, completionTokens, seconds } = values;
  const source = sourceOf(values.source);
  const image = { key, etag: values.etag ?? null, ...(source && { source }) };
  const usage = isThere(promptTokens) && {
    usage: { promptTokens, completionTokens, seconds, ...optional(values, ['costUsd']) },
  };
  if (status === 'skipped') return { ...image, status, reason: values.reason };
  if (status === 'failed') {
    const failure = { class: values.class, message: values.message };
    return { ...image, status, failure, ...usage };
  }
  return {
    ...{ ...image, status, caption },
    ...{ logProb: values.logProb ?? null, score: values.score ?? null, candidates },
    ...optional(values, ['altText', 'keywords', 'visibleText']),
    ...{ width, height, model },
    ...optional(values, ['warnings', 'duplicateOf']),
    ...usage,
  };
}

/** A field that is null was not there. */
function sourceOf(fields: unknown): Record<string, unknown> | undefined {
  if (typeof fields !== 'object' || fields === null) return undefined;
  return Object.fromEntries(Object.entries(fields).filter(([, text]) => isThere(text)));
}

function optional(values: Record<string, unknown>, names: readonly string[]) {
  return Object.fromEntries(
    names.flatMap((name) => (isThere(values[name]) ? [[name, values[name]]] : [])),
  );
}

function isThere(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function isSaid(row: PartRow, columns: readonly TableColumn<AttemptedRow>[]): boolean {
  if (!isPlainText(row)) return false;
  const values = columns.map(({ name, of }) => [name, of({ row, attempt: '' }) ?? null] as const);
  return isDeepStrictEqual(plainRow(Object.fromEntries(values)), row);
}

/** The fields that there are columns for; of others that all objects have (`constructor`) none. */
function pick(fields: Record<string, string>, names: readonly string[]): Record<string, string> {
  const picked = Object.entries(fields).filter(([name]) => names.includes(name));
  return Object.assign(Object.create(null), Object.fromEntries(picked));
}

/**
 * Half of a surrogate pair has no form in UTF-8; JSON writes it `\ud83d`. And whoever reads a text
 * takes U+FEFF at its beginning for a mark of how it is encoded.
 */
function isPlainText(row: PartRow): boolean {
  return !/\\ud[89a-f][0-9a-f]{2}|"\ufeff/.test(toJson(row));
}

function toJson(row: PartRow): string {
  return JSON.stringify(row);
}

const wholeMax = 2 ** 31 - 1;

function within32(value: number | undefined): number | undefined {
  return value !== undefined && value <= wholeMax ? value : undefined;
}

function captioned(row: PartRow): CaptionedRow | undefined {
  return row.status === 'captioned' ? row : undefined;
}

function failed(row: PartRow): FailedRow | undefined {
  return row.status === 'failed' ? row : undefined;
}

function usageOf(row: PartRow) {
  return row.status === 'skipped' ? undefined : row.usage;
}
