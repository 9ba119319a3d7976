import { ParquetTable } from '@cutline/shared/parquet';
import {
  type AttemptedRow,
  captionedRowSchema,
  failedRowSchema,
  formatResults,
  type PartRow,
  parseResults as parseNumbered,
  partRowSchema,
  resultColumns,
  skippedRowSchema,
} from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';

/** Rows as a Parquet file and back: nothing of a row is lost, whatever it says. */

const plain = {
  key: 'photos/ä 🏴 ".jpg',
  etag: '9b2c',
  status: 'captioned',
  caption: 'a dog\nruns\u0000',
  logProb: -3.123456789012345,
  score: -0.1,
  candidates: [
    { caption: 'a dog\nruns\u0000', logProb: -3.123456789012345, score: -0.1 },
    { caption: '', logProb: null, score: null },
  ],
  width: 640,
  height: 480,
  model: 'blip@0123456789ab',
} as const;
const usage = { promptTokens: 12, completionTokens: 3, seconds: 0.125 };

const rows: PartRow[] = [
  { ...plain, candidates: [...plain.candidates] },
  { ...plain, etag: null, logProb: null, score: null, candidates: [], keywords: [], warnings: [] },
  {
    ...plain,
    candidates: [],
    altText: '',
    keywords: ['', 'flag'],
    visibleText: 'STOP',
    warnings: ['blank', 'no .txt beside it'],
    usage: { ...usage, costUsd: 0.000000123 },
  },
  { ...plain, candidates: [], sidecars: { txt: 'kept', xmp: 'merged' } },
  { ...plain, candidates: [], attention: [[0.25, 0.75], []] },
  { ...plain, candidates: [], width: 2 ** 40 },
  { ...plain, candidates: [], caption: 'half of a pair \ud83d' },
  { ...plain, key: '\udc00', candidates: [] },
  { ...plain, candidates: [], caption: '\ufeffafter a byte order mark', keywords: ['\ufeff'] },
  { key: '\ufeffa', etag: null, status: 'failed', failure: { class: 'corrupt', message: '' } },
  { key: 'a', etag: null, status: 'failed', failure: { class: 'corrupt', message: '' } },
  { key: '', etag: '', status: 'failed', failure: { class: 'internal', message: 'é' }, usage },
  { key: 'a', etag: 'e', status: 'skipped', reason: 'duplicate' },
  { key: 'a', etag: 'e', source: { id: '7' }, status: 'skipped', reason: 'duplicate' },
  { ...plain, candidates: [], source: { id: '', 'a b': 'x' } },
  { ...plain, candidates: [], source: {} },
  { ...plain, candidates: [], source: { other: 'no column has it' } },
  { ...plain, candidates: [], source: { constructor: 'as all objects have', toString: '' } },
];

const attempted = (all: readonly PartRow[]): AttemptedRow[] =>
  all.map((row, n) => ({ row, attempt: ['0', '3ra'][n % 2] as string }));

async function parseResults(bytes: Uint8Array): Promise<AttemptedRow[]> {
  const found = await parseNumbered(bytes);
  expect(found.map(({ image }) => image)).toEqual(found.map((_, n) => n));
  return found.map(({ row, attempt }) => ({ row, attempt }));
}

describe('rows as Parquet', () => {
  test('are the same again, and in the same form', async () => {
    const bytes = await formatResults(attempted(rows), {
      metadata: { run: 'r1' },
      carried: ['id', 'a b', 'constructor', 'toString', '__proto__'],
    });
    const again = await parseResults(bytes);
    expect(again).toEqual(attempted(rows));
    const json = (each: AttemptedRow[]) => JSON.stringify(each.map(({ row }) => row));
    expect(json(again)).toBe(json(attempted(rows.map((row) => partRowSchema.parse(row)))));
  });

  test('each alone, and none', async () => {
    for (const row of rows) {
      expect(
        await parseResults(
          await formatResults(attempted([row]), { metadata: {}, carried: ['id', 'a b'] }),
        ),
      ).toEqual(attempted([row]));
    }
    expect(await parseResults(await formatResults([], { metadata: {} }))).toEqual([]);
  });

  test('stand whole in the last column only where the others do not hold them', async () => {
    const table = await ParquetTable.open(
      await formatResults(attempted(rows), { metadata: { run: 'r1' }, carried: ['id', 'a b'] }),
    );
    const values = await table.read({}, ['json']);
    expect(values.map(({ json }) => json !== null && json !== undefined)).toEqual(
      rows.map((_, n) => (n >= 3 && n <= 9) || n >= rows.length - 2),
    );
    expect(table.metadata).toMatchObject({ run: 'r1' });
  });

  test('whatever fields rows are given, they are there again', () => {
    // Who adds one sees this fail, and says where it goes: in a column, or in `json`.
    const fields = [captionedRowSchema, failedRowSchema, skippedRowSchema].flatMap((schema) =>
      Object.keys(schema.shape),
    );
    const held = new Set(resultColumns(['id']).map(({ name }) => name));
    const inParts = ['failure', 'usage', 'sidecars', 'attention'];
    expect([...new Set(fields)].filter((name) => !held.has(name))).toEqual(
      expect.arrayContaining(inParts),
    );
    expect(
      [...new Set(fields)].filter((name) => !held.has(name) && !inParts.includes(name)),
    ).toEqual([]);
  });

  test('have statistics', async () => {
    const table = await ParquetTable.open(
      await formatResults(attempted(rows.slice(0, 3)), { metadata: {} }),
    );
    expect(table.rangeOf(0, 'score')).toEqual({ min: -0.1, max: -0.1, nulls: 1 });
    expect(table.rangeOf(0, 'class')).toMatchObject({ nulls: 3 });
    expect(table.rangeOf(0, 'candidates')).toBeUndefined();
  });

  test('what is no such file is refused', async () => {
    await expect(parseResults(Buffer.from('{"key":"a"}\n'))).rejects.toThrow();
    const bytes = await formatResults(attempted(rows), { metadata: {} });
    for (const end of [4, 100, bytes.length - 1]) {
      await expect(parseResults(bytes.subarray(0, end))).rejects.toThrow();
    }
  });
});
