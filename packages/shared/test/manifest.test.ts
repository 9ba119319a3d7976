import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  batchesOf,
  chunkBatches,
  countChunks,
  type ImageRef,
  RunStore,
  readChunk,
  writeChunk,
} from '@cutline/shared/run';
import { openStore } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
let run: RunStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-manifest-'));
  run = new RunStore(await openStore(pathToFileURL(folder).href), 'out/', 'r1');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const images = (count: number): ImageRef[] =>
  Array.from({ length: count }, (_, n) => ({ key: `photo-${n}.jpg`, etag: `e${n}`, bytes: n }));

describe('a chunk', () => {
  test('is read as it was written, whatever is in its keys', async () => {
    const odd: ImageRef[] = [
      { key: '/leading slash, ü, %2F, +, "quotes"', etag: null, bytes: null },
      { key: 'line\nbreak', etag: 'e', bytes: 0, skipped: 'duplicate' },
      { key: 'x.txt', etag: 'e', bytes: 3, skipped: 'not-an-image' },
    ];
    await writeChunk(run, 0, odd);
    expect(await readChunk(run, 0)).toEqual(odd);
  });

  test('is written where the run keeps its manifest, compressed', async () => {
    await writeChunk(run, 3, images(1000));
    const { bytes } = await run.store.get('out/runs/r1/manifest/000003.jsonl.gz');
    expect(bytes.readUInt16BE(0)).toBe(0x1f8b);
    expect(bytes.length).toBeLessThan(10_000);
  });

  test('that is damaged is refused by name', async () => {
    await run.store.put(run.manifestKey(0), Buffer.from('not gzip'));
    await expect(readChunk(run, 0)).rejects.toThrow();
  });
});

describe('chunks are counted', () => {
  test('from 0', async () => {
    expect(await countChunks(run)).toBe(0);
    for (let chunk = 0; chunk < 12; chunk++) await writeChunk(run, chunk, images(1));
    expect(await countChunks(run)).toBe(12);
  });

  test('up to the first gap', async () => {
    for (const chunk of [0, 1, 3]) await writeChunk(run, chunk, images(1));
    expect(await countChunks(run)).toBe(2);
  });

  test('without those of a run whose name begins alike', async () => {
    await writeChunk(new RunStore(run.store, 'out/', 'r1-again'), 0, images(1));
    expect(await countChunks(run)).toBe(0);
  });
});

describe('the batches of a chunk', () => {
  test('are whole but for the last, and numbered within the run', () => {
    const batches = [...batchesOf(2, images(10), 4)];
    expect(batches.map(({ batch, images }) => [batch, images.length])).toEqual([
      [2 * chunkBatches, 4],
      [2 * chunkBatches + 1, 4],
      [2 * chunkBatches + 2, 2],
    ]);
    expect(batches.flatMap(({ images }) => images)).toEqual(images(10));
  });

  test('follow upon those of the chunk before', () => {
    const full = images(chunkBatches * 3);
    const last = [...batchesOf(0, full, 3)].at(-1)?.batch ?? 0;
    expect([...batchesOf(1, images(1), 3)][0]?.batch).toBe(last + 1);
  });

  test('are none where there are no images', () => {
    expect([...batchesOf(0, [], 64)]).toEqual([]);
  });
});
