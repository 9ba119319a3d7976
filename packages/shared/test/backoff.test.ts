import { backoffMs } from '@cutline/shared/backoff';
import { expect, test } from 'vitest';

const pauses = (random: number) =>
  [1, 2, 3, 10, 2_000].map((failures) =>
    backoffMs(failures, { baseMs: 100, maxMs: 1_000, random: () => random }),
  );

test('pauses double up to the longest, and vary between a half and the whole', () => {
  expect(pauses(0)).toEqual([50, 100, 200, 500, 500]);
  expect(pauses(1)).toEqual([100, 200, 400, 1_000, 1_000]);
});
