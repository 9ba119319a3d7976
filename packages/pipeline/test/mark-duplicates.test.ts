import { createChunk, type ImageRef, type RunState, RunStore } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { expect, test } from 'vitest';
import { markDuplicates } from '../dist/produce/mark-duplicates.js';

const image = (key: string, etag: string | null, fields: Partial<ImageRef> = {}): ImageRef => ({
  ...{ key, etag, bytes: 7 },
  ...fields,
});

async function* streamed(images: readonly ImageRef[]) {
  yield* images;
}

test('images with the ETag and size of another say in which batch the first one is', async () => {
  const runStore = new RunStore(new MemoryStore('s3://captions'), '', 'r1');
  // Two images a batch, four a chunk; the first chunk was listed before.
  const before = [image('a', 'x'), image('b', 'y'), image('c', 'x'), image('n.txt', 'n')];
  await createChunk(runStore, 0, 0, before);
  const claim = { generation: 0, kind: 'produce', chunks: 0, images: null };
  const state = {
    run: { batchSize: 2, chunkBatches: 2 },
    claims: [claim],
    manifest: { chunks: 1, images: null },
  } as unknown as RunState;
  const rest = [
    image('d', 'y'),
    image('e', 'z'),
    image('f', 'z', { bytes: 8 }),
    image('g', 'z'),
    image('h', 'x', { skipped: 'duplicate' }),
    image('i', null),
    image('j', null),
    image('k', 'e', { bytes: 0 }),
    image('l', 'e', { bytes: 0 }),
    image('m', 'x'),
  ];
  const marked = [];
  const listing = { imagesBefore: 4, rest: streamed(rest) };
  for await (const each of markDuplicates(listing, runStore, state)) marked.push(each);
  expect(marked.map(({ sameAs, ...each }) => each)).toEqual(rest);
  const found = marked.flatMap(({ key, sameAs }) => (sameAs === undefined ? [] : [[key, sameAs]]));
  expect(found).toEqual([
    ['d', 0],
    ['g', 2],
    ['m', 0],
  ]);
});
