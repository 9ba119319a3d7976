import {
  batchesOf,
  createChunk,
  createEnd,
  type ImageRef,
  measureManifest,
  RunStore,
  readChunk,
} from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';
import { claimOf } from './support/example-run.ts';

let run: RunStore;

beforeEach(() => {
  run = new RunStore(new MemoryStore('s3://captions'), 'out/', 'r1');
});

const images = (count: number): ImageRef[] =>
  Array.from({ length: count }, (_, n) => ({ key: `photo-${n}.jpg`, etag: `e${n}`, bytes: n }));

const first = [claimOf(0)];

/** A claim that took chunks over from the first one's listing. */
const taking = (generation: number, chunks: number) =>
  claimOf(generation, { takeover: { chunks, follows: 0 } });

describe('a chunk', () => {
  test('is read as it was written, whatever is in its keys', async () => {
    const odd: ImageRef[] = [
      { key: '/leading slash, ü, %2F, +, "quotes"', etag: null, bytes: null },
      { key: 'line\nbreak', etag: 'e', bytes: 0, skipped: 'duplicate' },
      { key: 'x.txt', etag: 'e', bytes: 3, skipped: 'not-an-image' },
    ];
    expect(await createChunk(run, 0, 0, odd)).toBe(true);
    const read = await readChunk(run, first, 0);
    expect(read.images).toEqual(odd);
    expect(read.name).toBe('manifest/000000.jsonl.gz');
  });

  test('is written where the run keeps its manifest, compressed', async () => {
    await createChunk(run, 3, 0, images(1000));
    const { bytes } = await run.store.get('out/runs/r1/manifest/000003.jsonl.gz');
    expect(bytes.readUInt16BE(0)).toBe(0x1f8b);
    expect(bytes.length).toBeLessThan(10_000);
    expect((await readChunk(run, first, 3)).bytes).toEqual(bytes);
  });

  test('is never replaced', async () => {
    await createChunk(run, 0, 0, images(2));
    expect(await createChunk(run, 0, 0, images(5))).toBe(false);
    expect((await readChunk(run, first, 0)).images).toEqual(images(2));
  });

  test('of a later generation stands beside an older one, and only one of them counts', async () => {
    await createChunk(run, 0, 0, images(1));
    await createChunk(run, 1, 0, images(2)); // by a process that was thought dead
    await createChunk(run, 1, 2, images(3));
    const claims = [claimOf(0), claimOf(1, { kind: 'cancel' }), taking(2, 1)];
    expect((await readChunk(run, claims, 0)).images).toEqual(images(1));
    expect((await readChunk(run, claims, 1)).images).toEqual(images(3));
    expect((await readChunk(run, claims, 1)).name).toBe('manifest/000001.2.jsonl.gz');
    expect((await readChunk(run, first, 1)).images).toEqual(images(2));
  });

  test('that is damaged is refused', async () => {
    await run.store.put('out/runs/r1/manifest/000000.jsonl.gz', Buffer.from('not gzip'));
    await expect(readChunk(run, first, 0)).rejects.toThrow();
  });
});

describe('the manifest is measured', () => {
  test('as nothing, where nobody has claimed the run', async () => {
    await createChunk(run, 0, 0, images(1));
    expect(await measureManifest(run, [])).toEqual({ chunks: 0, images: null });
  });

  test('while it is listed: by its chunks, from 0', async () => {
    expect(await measureManifest(run, first)).toEqual({ chunks: 0, images: null });
    for (let chunk = 0; chunk < 12; chunk++) await createChunk(run, chunk, 0, images(1));
    expect(await measureManifest(run, first)).toEqual({ chunks: 12, images: null });
  });

  test('up to the first gap', async () => {
    for (const chunk of [0, 1, 3]) await createChunk(run, chunk, 0, images(1));
    expect(await measureManifest(run, first)).toEqual({ chunks: 2, images: null });
  });

  test('without chunks of a run whose name begins alike', async () => {
    await createChunk(new RunStore(run.store, 'out/', 'r1-again'), 0, 0, images(1));
    expect(await measureManifest(run, first)).toEqual({ chunks: 0, images: null });
  });

  test('by its end, once the listing is complete; a second end changes nothing', async () => {
    await createChunk(run, 0, 0, images(5));
    expect(await createEnd(run, 0, { images: 5, chunks: 1 })).toBe(true);
    expect(await createEnd(run, 0, { images: 9, chunks: 2 })).toBe(false);
    expect(await measureManifest(run, first)).toEqual({ chunks: 1, images: 5 });
  });

  test('without what an older generation wrote after a later one took over', async () => {
    for (const chunk of [0, 1, 2]) await createChunk(run, chunk, 0, images(1));
    await createEnd(run, 0, { images: 3, chunks: 3 });
    await createChunk(run, 1, 1, images(1));
    const claims = [claimOf(0), taking(1, 1)];
    expect(await measureManifest(run, claims)).toEqual({ chunks: 2, images: null });
    await createEnd(run, 1, { images: 2, chunks: 2 });
    expect(await measureManifest(run, claims)).toEqual({ chunks: 2, images: 2 });
  });

  test('by the end of the listing that a later claim found complete', async () => {
    await createEnd(run, 0, { images: 40, chunks: 3 });
    const claims = [claimOf(0), claimOf(1)];
    expect(await measureManifest(run, claims)).toEqual({ chunks: 3, images: 40 });
  });

  test('through the listings that it took over: one that nobody followed adds nothing', async () => {
    for (const chunk of [0, 1]) await createChunk(run, chunk, 0, images(1));
    await createChunk(run, 1, 1, images(2)); // by a process that slept through the claim of 2
    await createChunk(run, 2, 2, images(3));
    const claims = [claimOf(0), taking(1, 1), taking(2, 2)];
    expect(await measureManifest(run, claims)).toEqual({ chunks: 3, images: null });
    const names = [0, 1, 2].map(async (chunk) => (await readChunk(run, claims, chunk)).name);
    expect(await Promise.all(names)).toEqual([
      'manifest/000000.jsonl.gz',
      'manifest/000001.jsonl.gz',
      'manifest/000002.2.jsonl.gz',
    ]);
  });

  test('by the listing before it, where the last claim cancels', async () => {
    await createChunk(run, 0, 0, images(1));
    const claims = [claimOf(0), claimOf(1, { kind: 'cancel' })];
    expect(await measureManifest(run, claims)).toEqual({ chunks: 1, images: null });
  });
});

describe('the batches of a chunk', () => {
  test('are whole but for the last, and numbered within the run', () => {
    const batches = [...batchesOf(2, images(10), { batchSize: 4, chunkBatches: 128 })];
    expect(batches.map(({ batch, images }) => [batch, images.length])).toEqual([
      [256, 4],
      [257, 4],
      [258, 2],
    ]);
    expect(batches.flatMap(({ images }) => images)).toEqual(images(10));
  });

  test('follow upon those of the chunk before', () => {
    const sizes = { batchSize: 3, chunkBatches: 5 };
    const last = [...batchesOf(0, images(15), sizes)].at(-1)?.batch ?? 0;
    expect([...batchesOf(1, images(1), sizes)][0]?.batch).toBe(last + 1);
  });

  test('are none where there are no images', () => {
    expect([...batchesOf(0, [], { batchSize: 64, chunkBatches: 128 })]).toEqual([]);
  });
});
