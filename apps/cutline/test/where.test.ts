import { createRandom } from '@cutline/captioner';
import { ParquetTable } from '@cutline/shared/parquet';
import {
  type AttemptedRow,
  formatResults,
  type PartRow,
  type ResultRow,
} from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';
import { columns } from '../dist/export/columns.js';
import { RowFilter } from '../dist/where/index.js';
import { isLike } from '../dist/where/is-like.js';
import { parseCondition } from '../dist/where/parse-condition.js';
import { captionedRow, failedRow, skippedRow } from './gallery-rows.ts';

/** Conditions of `--where`: what they mean, of rows and of files, and what is said of mistakes. */

const dog = captionedRow({
  key: 'dogs/1.jpg',
  caption: "a dog's bed",
  score: -1.5,
  keywords: ['flag', 'dog'],
});
const cat = captionedRow({
  ...{ key: 'cats/é.jpg', caption: 'a cat', score: null, logProb: null },
  source: { id: '0012' },
});
const broken = failedRow('dogs/2.tif', { class: 'corrupt', message: 'cut off' });
const text = skippedRow('notes.txt', 'not-an-image');
const judged: ResultRow = {
  ...{ key: dog.key, etag: dog.etag, status: 'reviewed', decision: 'rejected', caption: null },
  ...{ who: 'anna', at: '2026-11-27T08:00:00.000Z', row: dog },
};
const all = { dog, cat, broken, text, judged };

function keysOf(condition: string): string[] {
  const filter = RowFilter.parse(condition);
  return Object.entries(all).flatMap(([name, row]) =>
    filter.wants({ row, attempt: '0' }) ? [name] : [],
  );
}

test.each<[condition: string, names: string]>([
  ['score < -1', 'dog judged'],
  ['score <= -1.5 and score >= -15e-1', 'dog judged'],
  ['score > -1.5', ''],
  ['not score < -1', ''], // of what is null, neither holds
  ['score is null', 'cat broken text'],
  ['not (score is null)', 'dog judged'],
  ["status = 'captioned'", 'dog cat'],
  ["status <> 'captioned'", 'broken text judged'],
  ["STATUS = 'captioned' or x", 'error'],
  ["class in ('timeout', 'corrupt') OR reason = 'not-an-image'", 'broken text'],
  ["class not in ('timeout')", 'broken'],
  ["caption like '%dog''s%'", 'dog'],
  ["caption like 'a c_t'", 'cat'],
  ["caption not like '%dog%'", 'cat'],
  ["key like 'dogs/_.%'", 'dog broken judged'],
  ["caption contains 'dog'", 'dog'],
  ["keywords contains 'dog'", 'dog judged'],
  ["keywords contains 'do'", ''],
  ["decision = 'rejected' and modelCaption contains 'bed'", 'judged'],
  ["key >= 'dogs' and key < 'e'", 'dog broken judged'],
  ["not (status = 'captioned' or status = 'reviewed')", 'broken text'],
  ["not (score < 0 and status = 'captioned')", 'broken text judged'],
  ["source.id = '0012'", 'cat'],
  ["source.constructor like '%'", ''],
  ["source.id is null and status = 'captioned'", 'dog'],
  ["status='failed'or\n\tstatus='skipped'", 'broken text'],
  ["status = 'failed' or status = 'captioned' and score < 0", 'dog broken'],
  ["(status = 'failed' or status = 'captioned') and score < 0", 'dog'],
])('%s', (condition, names) => {
  if (names === 'error') expect(() => keysOf(condition)).toThrow();
  else expect(keysOf(condition).join(' ')).toBe(names);
});

test.each([
  ['', 1, 'expected a column, found the end'],
  ['score', 6, 'expected =, !=, <, <=, >, >=, in, like, contains or is, found the end'],
  ["score < 'a'", 9, "expected a number, as score is, found 'a'"],
  ['caption = dog', 11, 'expected a text in single quotation marks, as caption is, found dog'],
  ['caption = "dog"', 11, "texts stand in single quotation marks: 'like this'"],
  ["caption = 'dog", 11, "this text has no end: expected a '"],
  ['scores < 1', 1, 'there is no column scores, but score.'],
  ['size > 1', 1, 'there is no column size, but key, etag,'],
  ['score < 1 score > 0', 11, 'expected "and", "or" or the end, found score'],
  ['score < -1,2', 11, 'expected a decimal point (-1.2), found ,'],
  [
    'score = null',
    9,
    'expected a value (of what is not there, the test is: score is null), found null',
  ],
  ['(score < 1', 11, 'expected ), found the end'],
  ['score < 1;', 10, 'expected a column, a number, a \'text\' or a sign, found ";"'],
  ['score < 1 🏴', 11, 'expected a column, a number, a \'text\' or a sign, found "🏴"'],
  ['score like 1', 7, 'score is a number: expected <, =, in, …'],
  ["keywords = 'a'", 1, "keywords is a list: expected contains 'text', or is null"],
  ['score is 3', 10, 'expected null, found 3'],
  ['score not < 3', 11, 'expected in, like or contains after not, found <'],
  ["class in 'a'", 10, "expected (, found 'a'"],
  ['score < 1e', 9, 'expected a column, a number'],
  [`${'('.repeat(200)}score < 1`, 101, 'expected a condition that is not so deep'],
])('%s is not understood', (condition, at, why) => {
  const said = () => RowFilter.parse(condition);
  expect(said).toThrow(`--where, at character ${at} (`);
  expect(said).toThrow(`: ${why}`);
  const rest = condition.slice(at - 1, at + 9);
  expect(said).toThrow(rest === '' ? '(at its end)' : `(before ${rest}`);
});

test('what is not understood is said in a line, however long it is', () => {
  const long = 'x'.repeat(1_000_000);
  for (const condition of [`${long} = 'a'`, `score is null '${long}'`, `score < ${long}`]) {
    expect(() => RowFilter.parse(condition)).toThrow(/^.{1,400}$/);
  }
});

test('like is as the regular expression, and takes no time that is out of proportion', () => {
  const random = createRandom(11);
  const textOf = (letters: string, length: number) =>
    Array.from({ length }, () => [...letters][Math.floor(random() * [...letters].length)]).join('');
  for (let n = 0; n < 2_000; n++) {
    const [text, pattern] = [textOf('ab\n🏴', n % 9), textOf('ab🏴_%%', n % 7)];
    const source = pattern.replaceAll('%', '.*').replaceAll('_', '.');
    expect([text, pattern, isLike(text, pattern)]).toEqual([
      ...[text, pattern],
      new RegExp(`^${source}$`, 'su').test(text),
    ]);
  }
  expect(isLike('a'.repeat(10_000), `${'%a'.repeat(1_000)}%b%`)).toBe(false);
});

describe('of the files of a run', () => {
  test('nothing is left out that is wanted, whatever the rows and the condition', async () => {
    const random = createRandom(7);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const words = ['', 'a', 'dog', 'é', '\uffee', '🏴', 'z', 'long '.repeat(9), '\ud83d'];
    const wordsOf = () => Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(words));
    const rowOf = (): PartRow => {
      const key = wordsOf().join('');
      if (random() < 0.1) return failedRow(key, { class: 'corrupt', message: pick(words) });
      if (random() < 0.1) return skippedRow(key, pick(['archived', 'duplicate'] as const));
      const score = random() < 0.2 ? null : Math.round(random() * -40 - 1) / 10;
      const more = random() < 0.5 ? { keywords: wordsOf(), altText: pick(words) } : {};
      return captionedRow({ key, score, caption: wordsOf().join(' '), ...more });
    };
    const test = (): string => {
      const value = () => `'${wordsOf().join('').replaceAll("'", "''")}'`;
      const sign = pick(['=', '!=', '<', '<=', '>', '>=']);
      const column = pick(['key', 'caption', 'altText', 'class', 'reason', 'status']);
      return pick([
        () => `score ${sign} ${Math.round(random() * -40) / 10}`,
        () => `${column} ${sign} ${value()}`,
        () => `${column} ${pick(['', 'not '])}like '${pick(words)}%'`,
        () => `${column} ${pick(['', 'not '])}in (${value()}, ${value()})`,
        () => `${pick(['keywords', column])} ${pick(['', 'not '])}contains ${value()}`,
        () => `${pick([column, 'score', 'keywords'])} is ${pick(['', 'not '])}null`,
      ])();
    };
    const condition = (depth: number): string => {
      if (depth === 0 || random() < 0.3) return test();
      const [a, b] = [condition(depth - 1), condition(depth - 1)];
      return pick([`(${a} and ${b})`, `(${a} or ${b})`, `not (${a})`]);
    };
    let left = 0;
    for (let round = 0; round < 30; round++) {
      const rows: AttemptedRow[] = Array.from({ length: 1 + Math.floor(random() * 6) }, () => ({
        row: rowOf(),
        attempt: '0',
      }));
      const table = await ParquetTable.open(await formatResults(rows, { metadata: {} }));
      const values = await table.read();
      for (let n = 0; n < 40; n++) {
        const asked = condition(2);
        const filter = RowFilter.parse(asked);
        const { mayKeep, keeps } = filter.ofFiles(false);
        const mayBe = mayKeep(rows.length, (column) => table.rangeOf(0, column));
        for (const [at, each] of rows.entries()) {
          const isWhole = typeof values[at]!.json === 'string';
          if (!filter.wants(each) || isWhole) continue;
          const all = JSON.stringify({ asked, row: each.row });
          if (rows.every((_, i) => typeof values[i]!.json !== 'string'))
            expect(mayBe, all).toBe(true);
          expect(keeps(values[at]!), all).toBe(true);
        }
        if (!mayBe) left += 1;
      }
    }
    expect(left).toBeGreaterThan(100); // which statistics have told
  });

  test('where people have decided, what they may have changed is not gone by', () => {
    const { columns: asked } = RowFilter.parse("score < 0 and caption = 'a'").ofFiles(true);
    expect(asked).toEqual(['score']);
    expect(RowFilter.parse("score < 0 or caption = 'a'").ofFiles(true).columns).toEqual([]);
    expect(RowFilter.parse("caption = 'a'").ofFiles(false).columns).toEqual(['caption']);
    expect(RowFilter.parse('decision is null').ofFiles(false).columns).toEqual([]);
  });

  test('what it asks of a list of keys is told apart', () => {
    const { carried } = RowFilter.parse(
      "source.id = '7' and score < 0 or not source.title is null",
    );
    expect(carried).toEqual(['id', 'title']);
  });

  test('conditions have no not: it is in their tests', () => {
    const parsed = parseCondition("not (score < 1 and not key = 'a')", columns);
    expect(parsed).toEqual({
      kind: 'or',
      of: [
        { kind: 'test', column: 'score', test: 'less', isNegated: true, value: 1 },
        { kind: 'test', column: 'key', test: 'equal', isNegated: false, value: 'a' },
      ],
    });
  });
});
