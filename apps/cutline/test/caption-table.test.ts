import type { CaptionedRow, ResultRow, ReviewedRow } from '@cutline/shared/run';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { CaptionTable } from '../dist/terminal/caption-table.js';

const captioned = (key: string, caption: string, score = -1.5): CaptionedRow => ({
  key,
  etag: null,
  status: 'captioned',
  caption,
  logProb: -9,
  score,
  candidates: [],
  width: 1,
  height: 1,
  model: 'm',
});
const failed = (key: string, message: string): ResultRow => ({
  key,
  etag: null,
  status: 'failed',
  failure: { class: 'corrupt', message },
});

const format = (columns: number | undefined, ...batches: ResultRow[][]) => {
  const table = new CaptionTable(columns);
  return batches.flatMap((rows) => table.format(rows).split('\n').slice(0, -1));
};

describe('anywhere', () => {
  const rows = [
    captioned('a.jpg', 'a dog', -2.0833),
    captioned('photo-2.jpg', 'two dogs in the snow', -12.5),
    { key: 'b.txt', etag: null, status: 'skipped', reason: 'not-an-image' } as const,
    failed('c.jpg', 'cut off'),
  ];

  test.each([undefined, 80])('columns stand below each other (%s)', (columns) => {
    expect(format(columns, rows)).toEqual([
      '  image        caption                score',
      '  a.jpg        a dog                  -2.08',
      '  photo-2.jpg  two dogs in the snow  -12.50',
      '  b.txt        (skipped: not a photograph)',
      '  c.jpg        (failed, corrupt: cut off)',
    ]);
  });

  test('what people decided wins, and a score is of a model’s caption', () => {
    const row = captioned('a.jpg', 'a dog', -2.0833);
    const review: Omit<ReviewedRow, 'decision' | 'caption'> = {
      key: 'a.jpg',
      etag: null,
      status: 'reviewed',
      who: 'anna',
      at: '2026-03-01T23:30:00.000Z',
      row,
    };
    const rows: ResultRow[] = [
      { ...review, decision: 'accepted', caption: 'a dog' },
      { ...review, decision: 'corrected', caption: 'two dogs' },
      { ...review, decision: 'rejected', caption: null },
    ];
    expect(format(80, rows)).toEqual([
      '  image  caption                score',
      '  a.jpg  a dog                  -2.08',
      '  a.jpg  two dogs',
      '  a.jpg  (rejected by anna)',
    ]);
  });

  test('the head is printed once, and columns hold still', () => {
    const lines = format(80, [rows[0]!], [rows[0]!]);
    expect(lines).toHaveLength(3);
    expect(lines[2]).toBe(lines[1]);
  });

  test('keys cannot break lines or command the terminal', () => {
    const [, line] = format(80, [captioned('a\nb\x1b[31m\u202egpj', 'a dog')]);
    expect(line).toContain('a\\u000ab\\u001b[31m\\u202egpj');
  });
});

describe('on a terminal', () => {
  const long = 'archive/1920s/box-12/folder-7/scan-0001.tif';
  const rows = [
    captioned(long, 'a man in a blue shirt is standing in front of a large building'),
    captioned('日本語の写真のとても長い名前の写真.jpg', 'a dog'),
    failed('x.jpg', 'JPEG that cannot be decoded: premature end of JPEG image'),
  ];

  test.each([40, 50, 60, 72, 80, 100, 200])('no line is longer than its %i columns', (columns) => {
    for (const line of format(columns, rows))
      expect(stringWidth(line)).toBeLessThanOrEqual(columns);
  });

  test('long keys keep their ends, which differ', () => {
    const [, line] = format(60, rows);
    expect(line).toMatch(/^ {2}archive\/1…\/scan-0001\.tif {2}/);
  });

  test('captions are wrapped between words, the score beside their first line', () => {
    const [, first, second, third] = format(60, rows);
    expect(first).toMatch(/a man in a blue shirt is +-1\.50$/);
    expect(second).toMatch(/^ +standing in front of a$/);
    expect(third).toMatch(/^ +large building$/);
  });

  test('letters that take two columns are counted so', () => {
    const lines = format(60, [rows[1]!, captioned('a.jpg', 'a dog')]);
    const column = (line = '') => stringWidth(line.slice(0, line.indexOf('a dog')));
    expect(column(lines[1])).toBe(column(lines[2]));
  });

  test('a word that is longer than the column is cut, and nothing is lost', () => {
    const text = format(60, [failed('x.jpg', 'x'.repeat(100))])
      .slice(1)
      .join('');
    expect(text.match(/x/g)?.length).toBe(101);
  });
});

describe('elsewhere', () => {
  test('every row is one line, and whole', () => {
    const key = 'k'.repeat(150);
    const caption = 'word '.repeat(40).trim();
    const [, line] = format(undefined, [captioned(key, caption)]);
    expect(line).toBe(`  ${key}  ${caption}   -1.50`);
  });

  test('a failure that says much does not push the scores away', () => {
    const [, first, second] = format(undefined, [captioned('a', 'b'), failed('c', 'x'.repeat(99))]);
    expect(first).toBe('  a      b         -1.50');
    expect(second).toBe(`  c      (failed, corrupt: ${'x'.repeat(99)})`);
  });
});
