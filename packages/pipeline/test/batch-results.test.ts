import type { EncodeOutcome } from '@cutline/inference';
import { applyOutcomes, toPartRows } from '@cutline/pipeline';
import { type ImageRef, partRowSchema } from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';

const ref = (key: string): ImageRef => ({ key, etag: `listed-${key}`, bytes: 1 });
const refs: ImageRef[] = [
  ref('a'),
  { ...ref('b.txt'), skipped: 'not-an-image' },
  ref('c'),
  ref('d'),
  { ...ref('a'), skipped: 'duplicate' },
  ref('e'),
];
/** One for each image that is not skipped. */
const outcomes: EncodeOutcome[] = [
  { status: 'encoded', etag: 'found-a', width: 4, height: 3 },
  { status: 'failed', failure: { class: 'corrupt', message: 'cut off' } },
  { status: 'deferred', message: 'S3 is down' },
  { status: 'encoded', etag: 'found-e', width: 8, height: 6 },
];
const captions = ['a dog', 'a boat'].map((caption) => ({
  caption,
  logProb: -1,
  score: -0.5,
  candidates: [{ caption, logProb: -1, score: -0.5 }],
}));

describe('outcomes', () => {
  test('stand beside their images, in the order of the batch', () => {
    const { images } = applyOutcomes(refs, outcomes, { defer: true });
    expect(images.map(({ key, status }) => `${key} ${status}`)).toEqual([
      'a encoded',
      'b.txt skipped',
      'c failed',
      'a skipped',
      'e encoded',
    ]);
  });

  test('that are deferred wait for a later batch, just as they were listed', () => {
    const { images, deferred } = applyOutcomes(refs, outcomes, { defer: true });
    expect(deferred).toEqual([ref('d')]);
    expect(images.some(({ key }) => key === 'd')).toBe(false);
  });

  test('that may not be deferred any more are failures that say why', () => {
    const { images, deferred } = applyOutcomes(refs, outcomes, { defer: false });
    expect(deferred).toEqual([]);
    expect(images[3]).toEqual({
      status: 'failed',
      key: 'd',
      etag: 'listed-d',
      failure: { class: 'unavailable', message: 'S3 is down' },
    });
  });
});

test('what an image carries is in its row, whatever became of it', () => {
  const source = { id: '7' };
  const carrying = refs.map((each) => ({ ...each, source }));
  const withColumns = carrying.map((each) => ({ ...each, columns: { title: 'x' } }));
  const { images, deferred } = applyOutcomes(withColumns, outcomes, { defer: true });
  const rows = toPartRows(images, captions, 'm@1').map((row) => partRowSchema.parse(row));
  expect(rows.map((row) => row.source)).toEqual(rows.map(() => source));
  expect(rows.some((row) => 'columns' in row)).toBe(false);
  expect(deferred[0]?.source).toEqual(source);
});

describe('rows', () => {
  test('have the captions of the encoded images, in order, and one row for every image', () => {
    const { images } = applyOutcomes(refs, outcomes, { defer: false });
    const rows = toPartRows(images, captions, 'tiny@1');
    expect(rows.map((row) => (row.status === 'captioned' ? row.caption : row.status))).toEqual([
      'a dog',
      'skipped',
      'failed',
      'failed',
      'skipped',
      'a boat',
    ]);
    expect(rows[0]).toEqual({
      key: 'a',
      etag: 'found-a',
      status: 'captioned',
      ...captions[0],
      width: 4,
      height: 3,
      model: 'tiny@1',
    });
  });

  test('have the warnings of both stages', () => {
    const blank: EncodeOutcome = {
      ...outcomes[0]!,
      status: 'encoded',
      warnings: ['blank'],
    } as never;
    const { images } = applyOutcomes([ref('a')], [blank], { defer: false });
    const cutOff = { ...captions[0]!, warnings: ['cut off'] };
    expect(toPartRows(images, [cutOff], 'tiny@1')).toMatchObject([
      { status: 'captioned', warnings: ['blank', 'cut off'] },
    ]);
    const failure = { class: 'refused' as const, message: 'no' };
    const [row] = toPartRows(images, [{ failure }], 'tiny@1');
    expect(partRowSchema.parse(row)).toMatchObject({ status: 'failed', failure });
  });

  test('have attention only where there is some', () => {
    const images = [
      { status: 'encoded' as const, key: 'a', etag: 'x', width: 1, height: 1 },
      { status: 'encoded' as const, key: 'b', etag: 'x', width: 1, height: 1 },
    ];
    const [plain, attended] = toPartRows(
      images,
      [captions[0]!, { ...captions[1]!, attention: [[1]] }],
      'tiny@1',
    );
    expect(plain).not.toHaveProperty('attention');
    expect(attended).toHaveProperty('attention', [[1]]);
  });
});
