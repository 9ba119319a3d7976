import { UserError } from '@cutline/shared/errors';
import { listImages } from '@cutline/shared/listing';
import {
  chunkBatches,
  countChunks,
  type ImageRef,
  type Run,
  type RunStore,
  readChunk,
} from '@cutline/shared/run';

/** What is in the manifest already, and the rest of the listing. */
export interface Listing {
  start: { chunks: number; images: number; rest: ImageRef[] };
  images: AsyncIterable<ImageRef>;
}

/**
 * The listing of a run, from where it stopped: after the last key of the manifest for a store
 * (which lists in key order), after as many rows for a list of keys, and without the keys that
 * are there already for a sample.
 */
export async function resumeListing(
  run: RunStore,
  { selection, batchSize }: Pick<Run, 'selection' | 'batchSize'>,
  source: Parameters<typeof listImages>[0],
  options: Parameters<typeof listImages>[2],
): Promise<Listing> {
  const existing = await countChunks(run);
  if (existing === 0) {
    return {
      start: { chunks: 0, images: 0, rest: [] },
      images: listImages(source, selection, options),
    };
  }
  if (selection.keysFrom === '-') {
    throw new UserError(
      'The listing of this run came from stdin and was not finished; it cannot be read again. ' +
        'Start a new run with the list.',
    );
  }

  const lastChunk = await readChunk(run, existing - 1);
  const full = lastChunk.length === chunkBatches * batchSize;
  const before = (existing - 1) * chunkBatches * batchSize;
  return {
    start: full
      ? { chunks: existing, images: before + lastChunk.length, rest: [] }
      : { chunks: existing - 1, images: before, rest: lastChunk },
    images: without(listImages(source, selection, options), {
      keys: selection.sample ? await readManifestKeys(run, existing) : undefined,
      rows: selection.keysFrom === null ? undefined : before + lastChunk.length,
      lastKey: lastChunk.at(-1)?.key ?? '',
    }),
  };
}

async function readManifestKeys(run: RunStore, chunks: number): Promise<Set<string>> {
  const keys = new Set<string>();
  for (let chunk = 0; chunk < chunks; chunk++) {
    for (const { key } of await readChunk(run, chunk)) keys.add(key);
  }
  return keys;
}

/** The listing without what the manifest has: by keys, by a number of rows, or up to a key. */
async function* without(
  listing: AsyncIterable<ImageRef>,
  written: { keys: Set<string> | undefined; rows: number | undefined; lastKey: string },
): AsyncGenerator<ImageRef> {
  const lastKey = Buffer.from(written.lastKey);
  let position = 0;
  for await (const image of listing) {
    position += 1;
    const seen = written.keys
      ? written.keys.has(image.key)
      : written.rows !== undefined
        ? position <= written.rows
        : Buffer.compare(Buffer.from(image.key), lastKey) <= 0;
    if (!seen) yield image;
  }
}
