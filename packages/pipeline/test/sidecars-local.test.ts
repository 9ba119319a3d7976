import { LocalSidecars } from '@cutline/pipeline';
import { applyReview, Reviews, RunStore } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { beforeEach, expect, test } from 'vitest';
import { rejected } from '../../shared/test/support/example-reviews.ts';
import { captionedRow } from '../../shared/test/support/example-run.ts';

/** Files beside the images of a folder, whose rows are in a file. */

const rows = ['a.jpg', 'trip/b.jpg', 'trip/c.jpg'].map((key) => captionedRow(key));
const [a, b, c] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]];

let photos: MemoryStore;

beforeEach(async () => {
  photos = new MemoryStore('file:///photos');
  for (const { key } of rows) await photos.put(key, Buffer.from('an image'));
});

const papers = new RunStore(new MemoryStore('file:///home'), '', 'r1', 'r1.jsonl.cutline/');

const open = () =>
  LocalSidecars.open({ run: papers, store: photos, kinds: ['txt'], rules: undefined });

async function keys(): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of photos.list()) found.push(key);
  return found;
}

test('beside an image that was moved or thrown away, nothing is written again', async () => {
  await (await open()).write([a, b]);
  for (const key of ['trip/b.jpg', 'trip/b.jpg.txt']) await photos.delete(key);
  const sidecars = await open();
  await sidecars.renew(inOneBatch([a, b, c]));
  expect(await keys()).toEqual(['a.jpg', 'a.jpg.txt', 'trip/c.jpg', 'trip/c.jpg.txt']);
});

test('what is rejected goes, also where its image is gone', async () => {
  await (await open()).write([a, b]);
  await photos.delete('trip/b.jpg');
  const reviews = new Reviews();
  reviews.add(rejected('trip/b.jpg'));
  const renewal = await (await open()).renew(inOneBatch([a, applyReview(b, reviews)]));
  expect(renewal.removed).toBe(1);
  expect(await keys()).toEqual(['a.jpg', 'a.jpg.txt', 'trip/c.jpg']);
});

async function* inOneBatch<T>(all: T[]): AsyncGenerator<T[]> {
  yield all;
}
