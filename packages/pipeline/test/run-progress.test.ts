import { countByOutcome, progressOf } from '@cutline/pipeline';
import type { PartRow } from '@cutline/shared/run';
import { expect, test } from 'vitest';

const failure = (failureClass: 'corrupt' | 'not-found'): PartRow => ({
  key: 'x',
  etag: null,
  status: 'failed',
  failure: { class: failureClass, message: '' },
});
const rows: PartRow[] = [
  failure('corrupt'),
  { key: 'y', etag: null, status: 'skipped', reason: 'duplicate' },
  failure('not-found'),
  failure('corrupt'),
];

test('rows are counted by what became of them, and failures by their class too', () => {
  expect(countByOutcome(rows)).toEqual({
    failed: 3,
    'failed:corrupt': 2,
    'failed:not-found': 1,
    skipped: 1,
  });
});

test('a finished run has the progress that its summary tells', () => {
  const summary = {
    run: 'r',
    images: 10,
    captioned: 7,
    skipped: 1,
    failed: 2,
    missing: 0 as const,
    skippedByReason: { duplicate: 1 },
    failedByClass: { corrupt: 2 },
    parts: 1,
    model: 'm',
    created: '',
    finished: '',
    imagesPerSecond: 1,
  };
  expect(progressOf(summary)).toEqual({
    listed: 10,
    listingComplete: 1,
    enqueued: 10,
    encoded: 7,
    captioned: 7,
    skipped: 1,
    failed: 2,
    failedByClass: { corrupt: 2 },
  });
});
