import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { chunkNames } from './chunk-name.ts';
import { type Claim, generationOfChunk, generationSuffix, listingGeneration } from './claim.ts';
import { type ImageRef, imageRefSchema } from './image-ref.ts';
import { isTaken } from './json-objects.ts';
import { parseJsonLines } from './part.ts';
import type { Run } from './run.ts';
import type { RunStore } from './run-store.ts';

/**
 * The manifest says what was listed: the truth that a run is held against. It is written in
 * chunks of whole batches (only the last chunk may be shorter), so that batch n is found by
 * arithmetic and neither listing nor reading ever holds more than one chunk.
 */

/** Batches in a chunk, of new runs: at 64 images a batch, 8,192 images, about 200 KB compressed. */
export const chunkBatchesDefault = 128;

/** The end of a listing. */
const endSchema = z.strictObject({
  images: z.int().nonnegative(),
  chunks: z.int().nonnegative(),
});

export type ManifestEnd = z.infer<typeof endSchema>;

/** `manifest/000000.jsonl.gz` in the run's folder; `manifest/000000.1.jsonl.gz` of a later claim. */
export const { nameOf: chunkName } = chunkNames('manifest', '.jsonl.gz');

const endName = (generation: number) => `manifest/end${generationSuffix(generation)}.json`;

/**
 * Writes a chunk of a listing.
 * @returns false where that generation's chunk is there already: then another process made it
 *   under the same claim, which must not be.
 */
export async function createChunk(
  run: RunStore,
  chunk: number,
  generation: number,
  images: readonly ImageRef[],
): Promise<boolean> {
  const lines = images.map((image) => `${JSON.stringify(image)}\n`).join('');
  return create(run, chunkName(chunk, generation), gzipSync(lines), 'application/gzip');
}

/** Says that the listing is complete. */
export async function createEnd(
  run: RunStore,
  generation: number,
  end: ManifestEnd,
): Promise<boolean> {
  const bytes = Buffer.from(`${JSON.stringify(endSchema.parse(end))}\n`);
  return create(run, endName(generation), bytes, 'application/json');
}

async function create(run: RunStore, name: string, bytes: Uint8Array, contentType: string) {
  try {
    await run.store.put(run.prefix + name, bytes, { contentType, ifAbsent: true });
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

/** A chunk of the manifest as it was read. */
export interface ReadChunk {
  /** Within the run's folder. */
  name: string;
  images: ImageRef[];
  /** As it is stored. */
  bytes: Buffer;
}

/** Reads the chunk that counts. */
export async function readChunk(
  run: RunStore,
  claims: readonly Claim[],
  chunk: number,
): Promise<ReadChunk> {
  return readNamedChunk(run, chunkName(chunk, generationOfChunk(claims, chunk)));
}

/** The same, where a ledger has named it. */
export async function readNamedChunk(run: RunStore, name: string): Promise<ReadChunk> {
  const { bytes } = await run.store.get(run.prefix + name);
  return { name, images: parseJsonLines(gunzipSync(bytes), imageRefSchema, name), bytes };
}

/**
 * How much of the manifest there is: all of it, where the listing is complete, or the chunks that
 * are there, counted without gaps.
 */
export async function measureManifest(
  run: RunStore,
  claims: readonly Claim[],
): Promise<{ chunks: number; images: number | null }> {
  if (!claims.some(({ kind }) => kind === 'produce')) return { chunks: 0, images: null };
  const generation = listingGeneration(claims);
  const end = run.prefix + endName(generation);
  if (await run.store.head(end)) {
    const { bytes } = await run.store.get(end);
    return endSchema.parse(JSON.parse(bytes.toString('utf8')));
  }
  const names = new Set<string>();
  for await (const { key } of run.store.list(`${run.prefix}manifest/`)) {
    names.add(key.slice(run.prefix.length));
  }
  let chunks = claims[generation]?.takeover?.chunks ?? 0;
  while (names.has(chunkName(chunks, generation))) chunks += 1;
  return { chunks, images: null };
}

/** Divides a chunk into its batches, numbered within the run. */
export function* batchesOf(
  chunk: number,
  images: readonly ImageRef[],
  { batchSize, chunkBatches }: Pick<Run, 'batchSize' | 'chunkBatches'>,
): Generator<{ batch: number; images: ImageRef[] }> {
  for (let start = 0; start < images.length; start += batchSize) {
    yield {
      batch: chunk * chunkBatches + start / batchSize,
      images: images.slice(start, start + batchSize),
    };
  }
}
