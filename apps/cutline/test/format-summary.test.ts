import { expect, test } from 'vitest';
import { describeRepeated } from '../dist/terminal/format-summary.js';

test('what many images are said to show is named with its share, in lines of 80 columns', () => {
  const long = 'a black and white photograph of a man standing in front of a building';
  const repeated = [long, 'a dog', 'a page of text', 'a sign', 'a wall'].map((caption, n) => ({
    caption,
    images: 900 - 100 * n,
  }));
  const lines = describeRepeated(repeated, 3_000);
  expect(lines).toEqual([
    '30% say “a black and white photograph of a man standing…”',
    '27% say “a dog”',
    '23% say “a page of text”',
    'and 2 other captions of many',
  ]);
  expect(describeRepeated([], 3_000)).toEqual([]);
});
