import { expect, test } from 'vitest';
import { formatReviewStatus } from '../dist/watch/review-status.js';

const counts = { accepted: 1122, corrected: 60, rejected: 22 };

test('an estimate is said with its interval', () => {
  const interval = { low: 0.5409, high: 0.6748 };
  expect(
    formatReviewStatus({
      ...counts,
      estimate: { drawn: 200, judged: 200, accepted: 122, interval },
    }),
  ).toEqual([
    '  reviewed   1,204  (accepted 1,122, corrected 60, rejected 22)',
    '  estimate   of 200 drawn, 61% accepted, 95% interval 54 to 67',
  ]);
});

test('one of a draw that is not judged whole says so', () => {
  const interval = { low: 0.2366, high: 0.7634 };
  const estimate = { drawn: 200, judged: 10, accepted: 5, interval };
  expect(formatReviewStatus({ ...counts, estimate })[1]).toBe(
    '  estimate   of the first 10 of 200 drawn, 50% accepted, 95% interval 24 to 76',
  );
  expect(
    formatReviewStatus({ ...counts, estimate: { drawn: 200, judged: 0, accepted: 0 } }),
  ).toEqual(['  reviewed   1,204  (accepted 1,122, corrected 60, rejected 22)']);
});
