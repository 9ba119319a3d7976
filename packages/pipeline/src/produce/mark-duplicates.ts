import { FirstPlaces } from '@cutline/shared/listing';
import { type ImageRef, type RunState, type RunStore, readChunk } from '@cutline/shared/run';
import type { Listing } from './resume-listing.ts';

/**
 * Of images with the same ETag and size, all but the first say in which batch that one is: whoever
 * writes their rows looks there for its caption. Equal ETags are a sign, not a proof: they are an MD5
 * of what was uploaded at once, something else of what was uploaded in parts, and never equal where
 * a key of KMS encrypts.
 *
 * What the manifest has already is read again, since the first images may be in it.
 */
export async function* markDuplicates(
  { imagesBefore, rest }: Listing,
  runStore: RunStore,
  { run, claims, manifest }: Pick<RunState, 'run' | 'claims' | 'manifest'>,
): AsyncGenerator<ImageRef> {
  const first = new FirstPlaces();
  let number = 0;
  const firstBatch = ({ etag, bytes, skipped }: ImageRef): number | undefined => {
    const batch = Math.floor(number / run.batchSize); // as all chunks before it are full
    number += 1;
    if (skipped || !etag || !bytes) return undefined;
    return first.firstOf(`${etag} ${bytes}`, batch);
  };
  try {
    for (let chunk = 0; chunk < manifest.chunks && imagesBefore > 0; chunk++) {
      for (const image of (await readChunk(runStore, claims, chunk)).images) firstBatch(image);
    }
    for await (const image of rest) {
      const sameAs = firstBatch(image);
      yield sameAs === undefined ? image : { ...image, sameAs };
    }
  } finally {
    first.close();
  }
}
