import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { type ImageRef, imageRefSchema } from './image-ref.ts';
import { parseJsonLines } from './part.ts';
import type { RunStore } from './run.ts';

/**
 * The manifest says what was listed: the truth that a run is held against. It is written in
 * chunks of whole batches (only the last chunk may be shorter), so that batch n is found by
 * arithmetic and neither listing nor reading ever holds more than one chunk.
 */

/** Batches in a chunk: at the default batch size 8,192 images, about 200 KB compressed. */
export const chunkBatches = 128;

export async function writeChunk(
  run: RunStore,
  chunk: number,
  images: readonly ImageRef[],
): Promise<void> {
  const lines = images.map((image) => `${JSON.stringify(image)}\n`).join('');
  await run.store.put(run.manifestKey(chunk), await promisify(gzip)(lines), {
    contentType: 'application/gzip',
  });
}

export async function readChunk(run: RunStore, chunk: number): Promise<ImageRef[]> {
  const key = run.manifestKey(chunk);
  const { bytes } = await run.store.get(key);
  return parseJsonLines(await promisify(gunzip)(bytes), imageRefSchema, key);
}

/** Chunks that exist, counted without gaps from 0. */
export async function countChunks(run: RunStore): Promise<number> {
  let chunks = 0;
  for await (const { key } of run.store.list(`${run.prefix}manifest/`)) {
    if (key === run.manifestKey(chunks)) chunks += 1;
  }
  return chunks;
}

/** Divides a chunk into its batches, numbered within the run. */
export function* batchesOf(
  chunk: number,
  images: readonly ImageRef[],
  batchSize: number,
): Generator<{ batch: number; images: ImageRef[] }> {
  for (let start = 0; start < images.length; start += batchSize) {
    yield {
      batch: chunk * chunkBatches + start / batchSize,
      images: images.slice(start, start + batchSize),
    };
  }
}
