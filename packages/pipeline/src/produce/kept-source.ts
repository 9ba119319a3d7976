import {
  type EncodedImage,
  type ImageRef,
  type KeptBatch,
  type KeptFeatures,
  type RunStore,
  readChunk,
  readRunState,
  settleBatch,
} from '@cutline/shared/run';
import type { DecodeJob, KeptFeaturesRef } from '../jobs.ts';

/**
 * What a run decodes that another run kept: its images are those of that run, in the same batches,
 * and what was encoded of them is in the manifests of its features. Which of several attempts has
 * an image's features is told by the rule that tells which row counts.
 */

/** The listing: the manifest of the run that kept the features. */
export async function* listKept(runStore: RunStore): AsyncGenerator<ImageRef> {
  const { claims, manifest } = await readRunState(runStore);
  for (let chunk = 0; chunk < manifest.chunks; chunk++) {
    yield* (await readChunk(runStore, claims, chunk)).images;
  }
}

/** What became of images of a batch in the encode stage, and where their features are. */
export async function planKept(
  kept: KeptFeatures,
  batch: number,
  images: readonly ImageRef[],
): Promise<Pick<DecodeJob, 'images' | 'features'>> {
  const attempts = (await kept.readBatch(batch)).map((each) => ({
    attempt: each.attempt,
    rows: each.images,
    kept: each,
  }));
  const pieces: KeptFeaturesRef['pieces'] = [];
  let model: string | undefined;
  const found = settleBatch(images, attempts).map(({ image, row, part }): EncodedImage => {
    if (!row || !part) return withoutFeatures(image);
    if (row.status !== 'encoded') return row;
    const { name, sha256 } = featuresOf(part.kept);
    const place = { key: kept.fileKey(name), sha256, row: rowOf(part.kept, row) };
    addRow(pieces, place);
    model = part.kept.model;
    return row;
  });
  const features = model === undefined ? null : { store: kept.store.url, model, pieces };
  return { images: found, features };
}

/** Images that are not to be captioned need none. */
function withoutFeatures({ key, etag, source, skipped }: ImageRef): EncodedImage {
  const own = { key, etag, ...(source && { source }) };
  if (skipped) return { status: 'skipped', ...own, reason: skipped };
  const message = 'no features of it were kept';
  return { status: 'failed', ...own, failure: { class: 'not-found', message } };
}

function featuresOf({ features, batch, attempt }: KeptBatch): NonNullable<KeptBatch['features']> {
  if (features) return features;
  throw new Error(`batch ${batch}, attempt ${attempt}: images are encoded, and there is no file`);
}

function rowOf({ images }: KeptBatch, image: EncodedImage): number {
  return images.filter(({ status }) => status === 'encoded').indexOf(image);
}

/** To the last piece, where that is of the same file. */
function addRow(
  pieces: KeptFeaturesRef['pieces'],
  { key, sha256, row }: { key: string; sha256: string; row: number },
): void {
  const last = pieces.at(-1);
  if (last?.key === key) last.rows.push(row);
  else pieces.push({ key, sha256, rows: [row] });
}
