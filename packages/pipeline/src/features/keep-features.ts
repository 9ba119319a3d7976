import type { Features } from '@cutline/inference';
import type { KeptBatch, KeptFeatures } from '@cutline/shared/run';
import { type DecodeJob, type KeptFeaturesRef, withoutRow } from '../jobs.ts';
import { packFeatures } from './feature-blob.ts';
import { hashOf } from './feature-objects.ts';

/**
 * Keeps what an attempt at a batch has encoded: its features, and what became of each image. Of two
 * tries at the attempt the first stays, and the other goes on with what the first found.
 *
 * @param job that would be handed to decoders
 * @returns the job with what was kept; images of it that were not are deferred. `isOwn`: what was
 *   kept is what was given.
 */
export async function keepFeatures(
  kept: KeptFeatures,
  job: DecodeJob,
  encoded: Features | undefined,
  { model, encoder, id }: { model: string; encoder: string; id: string },
): Promise<{ job: DecodeJob; isOwn: boolean }> {
  const { run, batch, attempt, images } = job;
  const file = encoded && (await putFile(kept, job, encoded, { model, id }));
  const own: KeptBatch = {
    format: 1,
    ...{ run, batch, attempt, model, encoder },
    features: file ?? null,
    images,
  };
  const stays = await kept.createBatch(own);
  if (file && stays.features?.name !== file.name) await kept.store.delete(kept.fileKey(file.name));
  const isOwn = stays === own;
  const deferred = isOwn ? job.deferred : withoutRow(job, stays.images);
  const features = refOf(kept, stays);
  return { job: { ...job, images: stays.images, deferred, features }, isOwn };
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
