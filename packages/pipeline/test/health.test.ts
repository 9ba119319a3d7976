import { unhealthy } from '@cutline/pipeline';
import { expect, test } from 'vitest';

const minuteMs = 60_000;
const after = (minutes: number) => ({ now: () => minutes * minuteMs });

test('a worker is well while its batches end, and with nothing in hand', () => {
  expect(unhealthy({ oldestInHand: undefined }, after(1_000))).toBeUndefined();
  expect(unhealthy({ oldestInHand: 0 }, after(15))).toBeUndefined();
});

test('one that has a batch in hand for longer than any takes is not', () => {
  expect(unhealthy({ oldestInHand: 0 }, after(16))).toBe('a batch has been in hand for 960 s');
});
