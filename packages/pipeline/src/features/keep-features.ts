import type { Features } from '@cutline/inference';
import type { EncodedImage, ImageRef, KeptBatch, KeptFeatures } from '@cutline/shared/run';
import type { DecodeJob, KeptFeaturesRef } from '../jobs.ts';
import { packFeatures } from './feature-blob.ts';
import { hashOf } from './feature-objects.ts';

/**
 * Keeps what an attempt at a batch has encoded: its features, and what became of each image. Of two
 * tries at the attempt the first stays, and the other goes on with what the first found.
 *
 * @param job that would be handed to decoders
 * @returns the job with what was kept; images of it that were not are deferred.
 */
export async function keepFeatures(
  kept: KeptFeatures,
  job: DecodeJob,
  features: Features | undefined,
  { model, encoder, id }: { model: string; encoder: string; id: string },
): Promise<DecodeJob> {
  const { run, batch, attempt, images } = job;
  const file = features && (await putFile(kept, job, features, { model, id }));
  const own: KeptBatch = {
    format: 1,
    ...{ run, batch, attempt, model, encoder },
    features: file ?? null,
    images,
  };
  const stays = await kept.createBatch(own);
  if (file && stays.features?.name !== file.name) await kept.store.delete(kept.fileKey(file.name));
  return {
    ...job,
    images: stays.images,
    deferred: stays === own ? job.deferred : without(job, stays.images),
    features: refOf(kept, stays),
  };
}

async function putFile(
  kept: KeptFeatures,
  { batch, attempt }: DecodeJob,
  features: Features,
  { model, id }: { model: string; id: string },
): Promise<NonNullable<KeptBatch['features']>> {
  const { dtype, shape } = features;
  if (dtype === 'answers') throw new Error('answers of a server are not features to be kept');
  const blob = packFeatures(model, features);
  const name = await kept.putFile(batch, attempt, id, blob);
  return { name, bytes: blob.byteLength, sha256: await hashOf(blob), dtype, shape };
}

/** All features of a kept batch. */
function refOf(kept: KeptFeatures, { model, features }: KeptBatch): KeptFeaturesRef | null {
  if (!features) return null;
  const { name, sha256, shape } = features;
  const rows = Array.from({ length: shape[0] }, (_, row) => row);
  return { store: kept.store.url, model, pieces: [{ key: kept.fileKey(name), sha256, rows }] };
}

/** What the job has, and another try did not find. */
function without(job: DecodeJob, found: readonly EncodedImage[]): ImageRef[] {
  const names = new Set(found.map(nameOf));
  const encoded = job.images.filter((image) => !names.has(nameOf(image)));
  return [
    ...encoded.map(({ key, etag }): ImageRef => ({ key, etag, bytes: null })),
    ...job.deferred.filter((ref) => !names.has(` ${ref.key}`)),
  ];
}

/** A key may be listed again, to be skipped as a duplicate. */
function nameOf(image: EncodedImage): string {
  return `${image.status === 'skipped' ? image.reason : ''} ${image.key}`;
}
