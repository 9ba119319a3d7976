import {
  applyReview,
  countReviews,
  type Decision,
  decisionSchema,
  estimateAccepted,
  type Judgement,
  Reviews,
  reviewedRowSchema,
  wilsonInterval,
} from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';
import { accepted, corrected, rejected, undone } from './support/example-reviews.ts';
import { captionedRow, failedRow, skippedRow, time } from './support/example-run.ts';

function reviewsOf(...decisions: Decision[]): Reviews {
  const reviews = new Reviews();
  for (const decision of decisions) reviews.add(decision);
  return reviews;
}

/** In every order, and twice: which decision counts must not depend on how objects are read. */
function decided(...decisions: Decision[]): Judgement | undefined {
  const orders = permutations(decisions);
  const [first, ...others] = orders.map((order) =>
    reviewsOf(...order, ...order).of(captionedRow('a')),
  );
  for (const other of others) expect(other).toEqual(first);
  return first;
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

describe('of several decisions about an image', () => {
  const first = accepted('a', 'anna', 1);
  const second = corrected('a', 'two boats', 'ben', 2);
  const third = rejected('a', 'anna', 3);

  test('the latest counts, whoever made it', () => {
    expect(decided(first, second)).toEqual(second);
    expect(decided(first, second, third)).toEqual(third);
  });

  test('what was taken back does not count, and what was before it does', () => {
    expect(decided(first, undone(first))).toBeUndefined();
    expect(decided(first, second, third, undone(third))).toEqual(second);
    expect(decided(first, second, third, undone(second))).toEqual(third);
  });

  test('nobody takes back what others decided', () => {
    expect(decided(second, { ...undone(second), who: 'anna' } as Decision)).toEqual(second);
  });

  test('at the same time, the one whose id comes last counts', () => {
    const [a, b] = [accepted('a', 'anna', 1), rejected('a', 'ben', 1)];
    expect(decided(a, b)?.id).toBe([a.id, b.id].toSorted()[1]);
  });

  test('those about the image as it was before are about another', () => {
    expect(decided({ ...second, etag: 'etag-of-before' } as Decision)).toBeUndefined();
    expect(decided({ ...second, etag: null } as Decision)).toBeUndefined();
  });
});

describe('a row with its review', () => {
  const row = captionedRow('a');

  test.each([
    [accepted('a'), 'accepted', row.caption],
    [corrected('a', 'two boats'), 'corrected', 'two boats'],
    [rejected('a'), 'rejected', null],
  ])('has what the person said', (judgement, decision, caption) => {
    const reviewed = applyReview(row, reviewsOf(judgement));
    expect(reviewed).toEqual({
      key: 'a',
      etag: 'etag-a',
      status: 'reviewed',
      decision,
      caption,
      who: 'anna',
      at: time,
      row,
    });
    expect(reviewedRowSchema.parse(reviewed)).toEqual(reviewed);
  });

  test('gives a caption to an image that failed', () => {
    const failed = failedRow('a');
    const judgement = { ...corrected('a', 'two boats'), shown: null } as Judgement;
    expect(applyReview(failed, reviewsOf(judgement))).toMatchObject({
      status: 'reviewed',
      caption: 'two boats',
      row: failed,
    });
  });

  test('is the row itself where nobody has decided, and where it only repeats another', () => {
    const reviews = reviewsOf(accepted('a'));
    const [other, repeated] = [captionedRow('b'), skippedRow('a')];
    expect(applyReview(other, reviews)).toBe(other);
    expect(applyReview(repeated, reviews)).toBe(repeated);
  });
});

test('decisions are counted an image each, as they count', () => {
  const [a, b] = [accepted('a', 'anna', 1), rejected('b', 'anna', 1)];
  const reviews = reviewsOf(a, b, corrected('a', 'two boats', 'ben', 2), undone(b));
  expect(countReviews(reviews)).toEqual({ accepted: 0, corrected: 1, rejected: 0 });
  expect(reviews.size).toBe(4);
});

test.each<[string, object]>([
  ['a caption of nothing', { ...corrected('a', ' \n') }],
  ['a name with a slash', { ...accepted('a', '../anna') }],
  ['a name that ends in a dot', { ...accepted('a', 'anna.') }],
  ['an unknown field', { ...accepted('a'), caption: 'x' }],
  ['no time of UTC', { ...accepted('a'), at: '2026-11-22T20:43:12+01:00' }],
])('%s is no decision', (_, decision) => {
  expect(() => decisionSchema.parse(decision)).toThrow();
});

test.each(['anna', 'Zoë Müller', 'a', 'anna@example.org', '李雷', 'देवनागरी'])(
  '%s is a name',
  (who) => {
    expect(decisionSchema.parse(accepted('a', who)).who).toBe(who);
  },
);

describe('an estimate', () => {
  const images = ['a', 'b', 'c', 'd'].map((key) => ({ key, etag: `etag-${key}` }));
  const draw = {
    format: 1 as const,
    run: 'r1',
    number: 0,
    who: 'anna',
    made: time,
    population: 9,
    images,
  };

  test('counts what was accepted as it was', () => {
    const reviews = reviewsOf(
      accepted('a'),
      corrected('b', 'two boats'),
      rejected('c'),
      accepted('d'),
    );
    expect(estimateAccepted(draw, reviews)).toMatchObject({ drawn: 4, judged: 4, accepted: 2 });
  });

  test('ends at the first image that is not judged', () => {
    const reviews = reviewsOf(accepted('a'), accepted('c'), accepted('d'));
    expect(estimateAccepted(draw, reviews)).toMatchObject({ drawn: 4, judged: 1, accepted: 1 });
    expect(estimateAccepted(draw, reviewsOf(accepted('d')))).toEqual({
      drawn: 4,
      judged: 0,
      accepted: 0,
    });
  });

  // R. G. Newcombe, Two-sided confidence intervals for the single proportion (Stat. Med. 17, 1998),
  // table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('of %i in %i is as published', (successes, n, low, high) => {
    const interval = wilsonInterval(successes, n);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  test('ends where shares do', () => {
    expect(wilsonInterval(0, 7).low).toBe(0);
    expect(wilsonInterval(7, 7).high).toBeLessThanOrEqual(1);
  });
});
