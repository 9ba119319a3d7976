import type { JobCounts } from '@cutline/pipeline';
import { bottleneck, type RunProgress, RunRate } from '@cutline/pipeline';
import { describe, expect, test } from 'vitest';

const progress = (some: Partial<RunProgress>): RunProgress => ({
  ...{ listed: 1000, listingComplete: 1, enqueued: 1000, encoded: 0 },
  ...{ captioned: 0, skipped: 0, failed: 0, failedByClass: {}, ...some },
});
const minute = 60_000;

describe('the time that a stage has left', () => {
  test('is its work left, divided by its rate', () => {
    const rate = new RunRate();
    rate.add(0, progress({}));
    const now = progress({ encoded: 400, captioned: 200 });
    rate.add(minute, now);
    expect(rate.drainSeconds('encode', now)).toBeCloseTo(90);
    expect(rate.drainSeconds('decode', now)).toBeCloseTo(240);
  });

  test('counts images that failed as done, by both', () => {
    const rate = new RunRate();
    rate.add(0, progress({}));
    const now = progress({ encoded: 400, captioned: 400, failed: 100 });
    rate.add(minute, now);
    expect(rate.drainSeconds('encode', now)).toBeCloseTo(60);
    expect(rate.drainSeconds('decode', now)).toBeCloseTo(60);
  });

  test('is unknown at first, infinite after a minute at rest, and 0 at the end', () => {
    const rate = new RunRate();
    const still = progress({ encoded: 10 });
    rate.add(0, still);
    expect(rate.drainSeconds('decode', still)).toBeUndefined();
    rate.add(minute, still);
    expect(rate.drainSeconds('decode', still)).toBe(Number.POSITIVE_INFINITY);
    expect(rate.drainSeconds('decode', progress({ captioned: 1000 }))).toBe(0);
  });

  test('is of the last five minutes', () => {
    const rate = new RunRate();
    for (let n = 0; n <= 20; n += 1)
      rate.add(n * minute, progress({ captioned: n < 10 ? 0 : (n - 10) * 10 }));
    expect(rate.drainSeconds('decode', progress({ captioned: 100 }))).toBeCloseTo((900 / 10) * 60);
  });

  test('begins anew when a run is counted anew', () => {
    const rate = new RunRate();
    rate.add(0, progress({ captioned: 900 }));
    rate.add(minute, progress({ captioned: 100 }));
    expect(rate.drainSeconds('decode', progress({ captioned: 100 }))).toBeUndefined();
  });
});

describe('the bottleneck', () => {
  const counts = (some: Partial<JobCounts> = {}): JobCounts => ({
    ...{ waiting: 0, delayed: 0, active: 0, failed: 0, ...some },
  });
  const [empty, busy, full] = [counts(), counts({ active: 2 }), counts({ active: 2, waiting: 9 })];
  test.each([
    ['decode', progress({}), full, full],
    ['encode', progress({}), full, busy],
    ['list', progress({ listingComplete: 0 }), busy, busy],
    ['encode', progress({}), busy, busy],
    ['decode', progress({}), empty, busy],
    [undefined, progress({ captioned: 1000 }), empty, empty],
  ])('is %s', (stage, at, encode, decode) => {
    expect(bottleneck(at, { encode, decode })).toBe(stage);
  });
});
