import { setImmediate } from 'node:timers/promises';
import type { ImageRef } from '@cutline/shared/run';
import { expect, test } from 'vitest';
import { CountedListing } from '../dist/caption/counted-listing.js';
import { isOutput, planOutputs } from '../dist/caption/outputs.js';

/** What `cutline caption` writes, and what it does not take for images. */

const plan = (flags: Parameters<typeof planOutputs>[0]) => {
  const { rows, printed, table, gallery } = planOutputs(flags);
  return [rows, printed ?? table?.file, table?.to, gallery];
};

test.each<[Parameters<typeof planOutputs>[0], ReturnType<typeof plan>]>([
  [{}, [undefined, undefined, undefined, undefined]],
  [{ json: true }, [undefined, 'jsonl', undefined, undefined]],
  [{ format: 'csv' }, [undefined, 'csv', undefined, undefined]],
  [{ into: 'a.jsonl' }, ['a.jsonl', undefined, undefined, undefined]],
  [{ into: 'a' }, ['a', undefined, undefined, undefined]],
  [{ into: 'a.csv' }, ['a.jsonl', 'a.csv', 'csv', undefined]],
  [{ into: 'a.XLSX' }, ['a.jsonl', 'a.XLSX', 'xlsx', undefined]],
  [{ into: 'a.txt', format: 'csv' }, ['a.txt.jsonl', 'a.txt', 'csv', undefined]],
  [{ into: 'a.csv', format: 'jsonl' }, ['a.csv', undefined, undefined, undefined]],
  [{ gallery: 'p/b.html' }, ['p/b.jsonl', undefined, undefined, 'p/b.html']],
  [{ gallery: 'page' }, ['page.jsonl', undefined, undefined, 'page']],
  [{ into: 'a.csv', gallery: 'b.html' }, ['a.jsonl', 'a.csv', 'csv', 'b.html']],
])('%j', (flags, planned) => {
  expect(plan(flags)).toEqual(planned);
});

test.each<[Parameters<typeof planOutputs>[0], RegExp]>([
  [{ json: true, format: 'csv' }, /--json is --format jsonl/],
  [{ format: 'xlsx' }, /--format xlsx takes -o/],
  [{ into: 'a.csv', link: 'https://a.org/{key}' }, /--link is of a page: give --gallery/],
  [{ gallery: 'b.html', json: true }, /rows go to b\.jsonl: .*leave --json out/],
  [
    { into: 'b.html', gallery: './b.html' },
    /--gallery \.\/b\.html would take the place of captions/,
  ],
  [{ into: 'b.csv', gallery: 'b.jsonl' }, /--gallery b\.jsonl would take the place of captions/],
])('%j says nothing together', (flags, message) => {
  expect(() => planOutputs(flags)).toThrow(message);
});

test('what it writes into the folder that it reads is none of its images', () => {
  const outputs = planOutputs({ into: '/photos/a.csv', gallery: '/photos/my page.html' });
  const isOwn = isOutput(outputs, 'file:///photos');
  const keys = [
    ...['a.csv', 'a.jsonl', 'a.jsonl.cutline/run.json', 'my page.html', 'my page-12.html'],
    ...['b.csv', 'sub/a.csv', 'my page-x.html', 'a.jsonl.cutline.jpg', 'photo.jpg'],
  ];
  expect(keys.filter(isOwn)).toEqual(keys.slice(0, 5));
  expect(keys.filter(isOutput(outputs, 's3://photos'))).toEqual([]);
  expect(keys.filter(isOutput(planOutputs({}), 'file:///photos'))).toEqual([]);
});

test('a listing goes ahead of whoever works through it, in its order', async () => {
  async function* images(): AsyncGenerator<ImageRef> {
    for (let n = 0; n < 100; n++) yield { key: `${n}.jpg`, etag: null, bytes: null };
  }
  const listing = new CountedListing(images());
  const keys: string[] = [];
  for await (const { key } of listing.images) {
    keys.push(key);
    if (keys.length > 1) continue;
    for (let turn = 0; turn < 1000 && !listing.isComplete; turn++) await setImmediate();
    expect([listing.listed, listing.isComplete]).toEqual([100, true]);
  }
  expect(keys).toEqual(Array.from({ length: 100 }, (_, n) => `${n}.jpg`));
});

test('a listing that fails is heard', async () => {
  // biome-ignore lint/correctness/useYield: it fails before
  async function* images(): AsyncGenerator<ImageRef> {
    throw new Error('the disk is gone');
  }
  const read = async () => {
    for await (const _ of new CountedListing(images()).images);
  };
  await expect(read()).rejects.toThrow('the disk is gone');
});
