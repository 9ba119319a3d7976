import type { Features } from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { jobId } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import { DamagedFeaturesError, unpackFeatures } from '../features/feature-blob.ts';
import type { FeatureStore } from '../features/feature-store.ts';
import { loadKept } from '../features/load-kept.ts';
import type { DecodeJob, FeaturesInFlight, KeptFeaturesRef } from '../jobs.ts';

/**
 * The features of a job's encoded images, from wherever the job says that they are.
 *
 * @param model of the worker
 * @throws DamagedFeaturesError when they are missing, damaged or not this batch's
 * @throws UserError when they are another model's
 */
export async function loadFeatures(
  job: DecodeJob,
  context: {
    model: string;
    openFeatures: (home: string) => Promise<FeatureStore>;
    openStore: (url: string) => Promise<ObjectStore>;
  },
): Promise<Features> {
  const { features, images } = job;
  if (!features) throw gone();
  const found =
    'pieces' in features
      ? await loadKeptOf(job, features, context)
      : await loadInFlight(job, features, context);
  const count = images.filter((image) => image.status === 'encoded').length;
  const [foundCount] = found.shape;
  if (foundCount !== count) {
    throw new DamagedFeaturesError(`The features are of ${foundCount} images, not ${count}`);
  }
  return found;
}

/** Where there is nothing else to be had of the images, features that are denied are their failure. */
async function loadKeptOf(
  { source }: DecodeJob,
  features: KeptFeaturesRef,
  { openStore }: Pick<Parameters<typeof loadFeatures>[1], 'openStore'>,
): Promise<Features> {
  try {
    return await loadKept(await openStore(features.store), features);
  } catch (cause) {
    const isDenied = cause instanceof StoreError && cause.reason === 'access-denied';
    if (!isDenied || source !== null) throw cause;
    throw new DamagedFeaturesError(cause.message, { failureClass: 'access-denied', cause });
  }
}

async function loadInFlight(
  job: DecodeJob,
  { home, name }: FeaturesInFlight,
  { model: own, openFeatures }: Parameters<typeof loadFeatures>[1],
): Promise<Features> {
  const blob = await (await openFeatures(home)).get(name);
  if (!blob) throw gone();
  const { model, features } = unpackFeatures(blob);
  if (model === own) return features;
  throw new UserError(
    `The features of ${jobId(job)} were made by model ${model}, but this worker has loaded ` +
      `${own}. Start encoders and decoders with the same bundle (--model).`,
  );
}

function gone(): DamagedFeaturesError {
  return new DamagedFeaturesError('The features are not there (expired or flushed)', {
    failureClass: 'not-found',
  });
}
