import { formatPart, type PartRow, parseJsonLines, parsePart } from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const captioned: PartRow = {
  key: 'photos/ü 1+2%.jpg',
  etag: 'abc',
  status: 'captioned',
  caption: 'a dog in the snow',
  logProb: -6.25,
  score: -2.0833,
  candidates: [{ caption: 'a dog in the snow', logProb: -6.25, score: -2.0833 }],
  width: 640,
  height: 480,
  model: 'tiny@0123456789ab',
};
const failed: PartRow = {
  key: 'b.jpg',
  etag: null,
  status: 'failed',
  failure: { class: 'corrupt', message: 'a line\nbreak, "quotes" and \u2028 in it' },
};
const skipped: PartRow = { key: 'c.txt', etag: 'x', status: 'skipped', reason: 'not-an-image' };

test('rows are written one a line and read back, in order', () => {
  const rows = [
    captioned,
    failed,
    skipped,
    {
      ...captioned,
      attention: [
        [0.25, 0.75],
        [1, 0],
      ],
    },
  ];
  const bytes = formatPart(rows);
  expect(bytes.toString().split('\n')).toHaveLength(rows.length + 1);
  expect(parsePart(bytes, 'part')).toEqual(rows);
});

test('the same rows are the same bytes', () => {
  expect(formatPart([captioned, failed])).toEqual(formatPart([{ ...captioned }, { ...failed }]));
});

test('an empty part is empty', () => {
  expect(formatPart([])).toHaveLength(0);
  expect(parsePart(Buffer.alloc(0), 'part')).toEqual([]);
});

describe('what is not a row', () => {
  const line = (row: unknown) => `${JSON.stringify(captioned)}\n${JSON.stringify(row)}\n`;
  test.each([
    ['cut off', `${JSON.stringify(captioned)}\n${JSON.stringify(failed).slice(0, -5)}`],
    ['of an unknown status', line({ ...skipped, status: 'lost' })],
    ['of an unknown class', line({ ...failed, failure: { class: 'sad', message: '' } })],
    ['with a field too many', line({ ...skipped, note: 1 })],
    ['without its score', line({ ...captioned, score: undefined })],
  ])('is refused with its name and line: %s', (_, text) => {
    expect(() => parsePart(Buffer.from(text), 'parts/000003.jsonl')).toThrow(
      'parts/000003.jsonl, line 2: not a valid row',
    );
  });
});

test.each([
  ['a score', { ...captioned, score: Number.NaN }],
  ['a log probability', { ...captioned, logProb: Number.NEGATIVE_INFINITY }],
  [
    'a candidate',
    {
      ...captioned,
      candidates: [{ caption: 'a dog', logProb: -1, score: Number.POSITIVE_INFINITY }],
    },
  ],
  ['a weight', { ...captioned, attention: [[0.5, Number.NaN]] }],
])('a row is refused before it is written where %s is not finite', (_, row) => {
  expect(() => formatPart([failed, row])).toThrow(/expected number/);
});

test('lines are read from a view into a larger buffer', () => {
  const larger = Buffer.from('xx{"n":1}\n{"n":2}\nyy');
  const view = new Uint8Array(larger.buffer, larger.byteOffset + 2, larger.length - 4);
  expect(parseJsonLines(view, z.object({ n: z.number() }), 'x')).toEqual([{ n: 1 }, { n: 2 }]);
});
