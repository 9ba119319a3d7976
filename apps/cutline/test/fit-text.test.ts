import { terminalColumns } from '@cutline/shared/process';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { cut, wrap, wrapLines } from '../dist/terminal/fit-text.js';
import { fitNotes } from '../dist/watch/progress-display.js';

/** Lines on a terminal of 80 columns: wrapped between words, and below what they belong to. */

test('what is too long goes on below, the rest is as it was', () => {
  const classes = 'corrupt 1,204, unsupported 311, too-large 12, not-found 7, access-denied 3';
  const text = [
    'Run 1920s: 12 images · no encoder-worker is connected: start one · nothing drives the run',
    '  captioned  9',
    `  failed     1,537  (${classes})`,
    '',
  ].join('\n');
  expect(wrapLines(text, 80).split('\n')).toEqual([
    'Run 1920s: 12 images · no encoder-worker is connected: start one · nothing',
    '  drives the run',
    '  captioned  9',
    '  failed     1,537  (corrupt 1,204, unsupported 311, too-large 12, not-found 7,',
    '             access-denied 3)',
    '',
  ]);
});

test('what has no room for a label, or for a letter, is laid out all the same', () => {
  const key = `    ${'scan-of-a-plate-'.repeat(6)}  (copy).jpg`;
  const lines = wrapLines(key, 80).split('\n');
  expect(lines.map((line) => stringWidth(line))).toEqual([78, 40]);
  expect(wrap('写真 of', 1)).toEqual(['写', '真', 'o', 'f']);
  expect(wrap('of', -7)).toEqual(['o', 'f']);
});

test('a terminal that does not say how wide it is has 80 columns; what is none has no end', () => {
  expect(terminalColumns({ isTTY: true, columns: 0 })).toBe(80);
  expect(terminalColumns({ isTTY: true, columns: 132 })).toBe(132);
  expect(terminalColumns({ isTTY: true, columns: 3 })).toBe(20);
  expect(terminalColumns({})).toBeUndefined();
});

test('a status is cut where the terminal ends, which wide letters reach sooner', () => {
  expect(stringWidth(cut('写真'.repeat(30), 79))).toBe(78);
});

test('beside a bar, what matters least gives way first', () => {
  const progress = {
    ...{ listed: 100, listingComplete: 1, enqueued: 0, encoded: 0, captioned: 50 },
    ...{ skipped: 2, failed: 3, failedByClass: { corrupt: 2, 'not-found': 1 } },
  };
  const notes = { rate: '12.3 images/s', eta: '45 s left', progress };
  const shown = [75, 60, 40, 25, 5].map((columns) => fitNotes(notes, columns));
  expect(shown).toEqual([
    '12.3 images/s · 45 s left · 3 failed (corrupt 2, not-found 1) · 2 skipped',
    '12.3 images/s · 45 s left · 3 failed · 2 skipped',
    '45 s left · 3 failed · 2 skipped',
    '3 failed · 2 skipped',
    '',
  ]);
});
