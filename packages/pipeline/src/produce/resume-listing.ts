import { UserError } from '@cutline/shared/errors';
import { type ImageRef, type RunState, type RunStore, readChunk } from '@cutline/shared/run';
import { compareKeys } from '@cutline/shared/stores';

/** What is in the manifest already, and the rest of the listing. */
export interface Listing {
  imagesBefore: number;
  rest: AsyncIterable<ImageRef>;
}

/**
 * The listing of a run, from where it stopped: after the last key of the manifest for a store
 * (which lists in key order), after as many rows for a list of keys or another run's manifest, and
 * without the keys that are there already for a sample.
 *
 * @param listing from its beginning, or, of a store, from after a key on
 */
export async function resumeListing(
  runStore: RunStore,
  { run, claims, manifest: { chunks } }: Pick<RunState, 'run' | 'claims' | 'manifest'>,
  listing: (startAfter?: string) => AsyncIterable<ImageRef>,
): Promise<Listing> {
  const { selection, batchSize, chunkBatches, decodes } = run;
  if (chunks === 0) return { imagesBefore: 0, rest: listing() };

  const { images: lastImages } = await readChunk(runStore, claims, chunks - 1);
  const imagesBefore = (chunks - 1) * chunkBatches * batchSize + lastImages.length;
  // Only at its end does a listing write a chunk that is not full.
  if (lastImages.length < chunkBatches * batchSize) return { imagesBefore, rest: nothing() };
  if (selection.keysFrom === '-' && !decodes) {
    throw new UserError(
      'The listing of this run came from stdin and was not finished; it cannot be read again. ' +
        'Start a new run with the list.',
    );
  }
  const written = {
    keys:
      selection.sample && !decodes ? await readManifestKeys(runStore, claims, chunks) : undefined,
    rows: selection.keysFrom !== null || decodes ? imagesBefore : undefined,
    lastKey: lastImages.at(-1)?.key ?? '',
  };
  const isOfStore = written.keys === undefined && written.rows === undefined;
  // A limit is counted from the first image on.
  const startAfter = isOfStore && selection.limit === null ? written.lastKey : undefined;
  return { imagesBefore, rest: without(listing(startAfter), written) };
}

async function* nothing(): AsyncGenerator<ImageRef> {}

async function readManifestKeys(
  runStore: RunStore,
  claims: RunState['claims'],
  chunks: number,
): Promise<Set<string>> {
  const keys = new Set<string>();
  for (let chunk = 0; chunk < chunks; chunk++) {
    for (const { key } of (await readChunk(runStore, claims, chunk)).images) keys.add(key);
  }
  return keys;
}

/** The listing without what the manifest has: by keys, by a number of rows, or up to a key. */
async function* without(
  listing: AsyncIterable<ImageRef>,
  written: { keys: Set<string> | undefined; rows: number | undefined; lastKey: string },
): AsyncGenerator<ImageRef> {
  let position = 0;
  for await (const image of listing) {
    position += 1;
    const seen = written.keys
      ? written.keys.has(image.key)
      : written.rows !== undefined
        ? position <= written.rows
        : compareKeys(image.key, written.lastKey) <= 0;
    if (!seen) yield image;
  }
}
