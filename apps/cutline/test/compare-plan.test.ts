import type { Plan } from '@cutline/pipeline';
import { countRows, type Summary } from '@cutline/shared/run';
import { expect, test } from 'vitest';
import {
  captionedRow,
  exampleRun,
  failedRow,
} from '../../../packages/shared/test/support/example-run.ts';
import { comparePlan } from '../dist/plan/compare-plan.js';

/** A run beside its plan, as `cutline status` says it. */

const planned = (fields: object = {}) =>
  ({
    survey: { images: 3 },
    estimate: {
      seconds: { expected: 300, low: 240, high: 400 },
      failed: { expected: 0.1, low: 0, high: 0.4 },
      ...fields,
    },
  }) as unknown as Plan;

const rows = [captionedRow('a.jpg'), captionedRow('b.jpg'), failedRow('c.jpg', 'corrupt')];
const summary: Summary = {
  ...{ format: 2, run: exampleRun.run, generation: 0, ...countRows(rows) },
  ...{ chunks: 1, parts: 1, model: exampleRun.model, imagesPerSecond: 1, retried: null },
  ...{ created: '2026-11-28T12:00:00.000Z', finished: '2026-11-28T12:05:30.000Z' },
};

test('while it goes on, what it takes at the rate so far', () => {
  expect(comparePlan(planned(), { secondsInAll: 600 })).toEqual([
    '5 min (4 min to 7 min); at the rate so far 10 min',
  ]);
  expect(comparePlan(planned(), { secondsInAll: undefined })).toEqual(['5 min (4 min to 7 min)']);
  expect(comparePlan(planned({ seconds: undefined }), { secondsInAll: 600 })).toEqual([]);
});

test('afterwards, what it took, and what failed', () => {
  expect(comparePlan(planned(), { summary })).toEqual([
    '5 min (4 min to 7 min), took 6 min: 10% more',
    '0 failures, were 1',
  ]);
  const more = { ...summary, captioned: 5 };
  expect(comparePlan(planned(), { summary: more })).toContain('3 images, were 6');
});
