import {
  addCounts,
  countRows,
  isReopened,
  needsWork,
  type PartRow,
  settleBatch,
} from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';
import { captionedRow, failedRow, imageOf, skippedRow } from './support/example-run.ts';

const part = (attempt: string, ...rows: PartRow[]) => ({ attempt, rows });
const image = imageOf('a');

/** In both orders: which row counts must not depend on how parts are listed. */
function winnerOf(...parts: ReturnType<typeof part>[]): string | undefined {
  const [there, back] = [parts, parts.toReversed()].map(
    (each) => settleBatch([image], each)[0]?.part?.attempt,
  );
  expect(back).toBe(there);
  return there;
}

describe('of several rows of an image', () => {
  test.each([
    [
      'a caption counts, not a failure',
      part('0', captionedRow('a')),
      part('1', failedRow('a')),
      '0',
    ],
    ['the later failure counts', part('2', failedRow('a')), part('10', failedRow('a')), '10'],
    ['the later caption counts', part('2', captionedRow('a')), part('10', captionedRow('a')), '10'],
    [
      'generations count before divisions',
      part('0rrr', captionedRow('a')),
      part('1', captionedRow('a')),
      '1',
    ],
    ['the later division counts', part('0', failedRow('a')), part('0r', failedRow('a')), '0r'],
    ['the second half counts', part('0a', failedRow('a')), part('0b', failedRow('a')), '0b'],
  ])('%s', (_, one, other, expected) => {
    expect(winnerOf(one, other)).toBe(expected);
  });

  test('one of each part counts, where they are about different images', () => {
    const settled = settleBatch(
      [imageOf('a'), imageOf('b'), imageOf('c')],
      [part('0', captionedRow('a'), failedRow('b')), part('0r', captionedRow('c'))],
    );
    expect(settled.map(({ row, part }) => [row?.key, row?.status, part?.attempt])).toEqual([
      ['a', 'captioned', '0'],
      ['b', 'failed', '0'],
      ['c', 'captioned', '0r'],
    ]);
  });
});

test('images without a row are told of, and rows without an image are not', () => {
  const settled = settleBatch(
    [imageOf('a'), imageOf('b')],
    [part('0', captionedRow('b'), captionedRow('x'))],
  );
  expect(settled).toMatchObject([{ image: imageOf('a') }, { row: captionedRow('b') }]);
  expect(settled[0]).toMatchObject({ row: undefined, part: undefined });
  expect(settled).toHaveLength(2);
});

test('a key may be listed again any number of times: every time has a row', () => {
  const images = [
    imageOf('a'),
    imageOf('a', 'duplicate'),
    imageOf('b', 'not-an-image'),
    imageOf('a', 'duplicate'),
    imageOf('a', 'duplicate'),
    imageOf('b', 'duplicate'),
  ];
  const rows = images.map(({ key, skipped }) =>
    skipped ? skippedRow(key, skipped) : captionedRow(key),
  );
  expect(settleBatch(images, [part('0', ...rows)]).map(({ row }) => row)).toEqual(rows);
  // The first one alone is still missing, whatever its repeats have.
  const [first, ...others] = settleBatch(images, [part('0', ...rows.slice(1))]);
  expect(first?.row).toBeUndefined();
  expect(others.map(({ row }) => row)).toEqual(rows.slice(1));
});

test('repeats of a key that carry something else have rows of their own', () => {
  const images = ['1', '2', '1'].map((id) => ({ ...imageOf('a', 'duplicate'), source: { id } }));
  const rows = images.map(({ source }) => ({ ...skippedRow('a', 'duplicate'), source }));
  const [first, second, third] = settleBatch(images, [part('0', ...rows.slice(0, 2))]);
  expect([first?.row, second?.row, third?.row]).toEqual([rows[0], rows[1], rows[0]]);
});

describe('an image needs work', () => {
  const settled = (...parts: ReturnType<typeof part>[]) => settleBatch([image], parts)[0]!;
  const retry = (generation: number, ...classes: ('corrupt' | 'timeout')[]) => ({
    generation,
    retry: classes,
  });

  test('where it has no row', () => {
    expect(needsWork(settled(), [])).toBe(true);
  });

  test('not where it has one, captioned, skipped or failed', () => {
    const claims = [retry(0), retry(1)];
    expect(needsWork(settled(part('0', captionedRow('a'))), claims)).toBe(false);
    expect(needsWork(settled(part('0', failedRow('a'))), claims)).toBe(false);
    const [skipped] = settleBatch([imageOf('a', 'duplicate')], [part('0', skippedRow('a'))]);
    expect(needsWork(skipped!, claims)).toBe(false);
  });

  test('where a later claim wants failures of its class to be tried again', () => {
    const failed = settled(part('0', failedRow('a', 'timeout')));
    expect(needsWork(failed, [retry(0), retry(1, 'timeout')])).toBe(true);
    expect(needsWork(failed, [retry(0), retry(1, 'timeout'), retry(2)])).toBe(true);
    expect(needsWork(failed, [retry(0), retry(1, 'corrupt')])).toBe(false);
  });

  test('no more, once it failed again after that claim', () => {
    const claims = [retry(0), retry(1, 'timeout')];
    const again = settled(
      part('0', failedRow('a', 'timeout')),
      part('1', failedRow('a', 'timeout')),
    );
    expect(needsWork(again, claims)).toBe(false);
    expect(needsWork(again, [...claims, retry(2, 'timeout')])).toBe(true);
  });

  test('not where it has a caption, whatever is to be tried again', () => {
    const captioned = settled(part('0', captionedRow('a')), part('1', failedRow('a')));
    expect(needsWork(captioned, [retry(2, 'corrupt')])).toBe(false);
  });
});

describe('counts', () => {
  const rows = [
    captionedRow('a'),
    failedRow('b', 'corrupt'),
    failedRow('c', 'corrupt'),
    failedRow('d', 'timeout'),
    skippedRow('e', 'duplicate'),
  ];

  test('are of rows by what became of them', () => {
    expect(countRows(rows)).toEqual({
      images: 5,
      captioned: 1,
      skipped: 1,
      failed: 3,
      skippedByReason: { duplicate: 1 },
      failedByClass: { corrupt: 2, timeout: 1 },
    });
  });

  test('of parts add up to those of the whole', () => {
    const parts = [rows.slice(0, 2), [], rows.slice(2)].map(countRows);
    expect(addCounts(parts)).toEqual(countRows(rows));
    expect(addCounts([])).toEqual(countRows([]));
  });

  test('say whether a chunk is opened again by a later claim', () => {
    const ledger = { generation: 1, failedByClass: { corrupt: 2 }, skippedByReason: {} };
    const claim = (generation: number, ...retry: string[]) => ({ generation, retry });
    expect(isReopened(ledger, [claim(0), claim(1, 'corrupt')])).toBe(false);
    expect(isReopened(ledger, [claim(2, 'timeout')])).toBe(false);
    expect(isReopened(ledger, [claim(2, 'timeout', 'corrupt'), claim(3)])).toBe(true);
    expect(isReopened(ledger, [claim(2, 'archived')])).toBe(false);
    const cold = { ...ledger, skippedByReason: { archived: 1 } };
    expect(isReopened(cold, [claim(2, 'archived')])).toBe(true);
  });
});
