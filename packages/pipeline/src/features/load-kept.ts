import type { ImageFeatures } from '@cutline/inference';
import type { ObjectStore } from '@cutline/shared/stores';
import type { KeptFeaturesRef } from '../jobs.ts';
import { DamagedFeaturesError, unpackFeatures } from './feature-blob.ts';
import { hashOf, readIfThere } from './feature-objects.ts';

/**
 * Features that were kept, put together from the files that have them.
 * @throws DamagedFeaturesError where a file is gone, or not the one that its manifest names
 */
export async function loadKept(store: ObjectStore, ref: KeptFeaturesRef): Promise<ImageFeatures> {
  const files = new Map<string, ImageFeatures>();
  for (const { key, sha256 } of ref.pieces) {
    if (!files.has(key)) files.set(key, await loadFile(store, { key, sha256, model: ref.model }));
  }
  const [first] = files.values();
  if (!first) throw new Error('expected kept features of an image at least');
  if (isWhole(ref, first)) return first;
  const { dtype, shape } = first;
  const [, locations, channels] = shape;
  const payloads = ref.pieces.flatMap(({ key, rows }) => {
    const file = files.get(key) as ImageFeatures;
    if (file.dtype !== dtype || String(file.shape.slice(1)) !== String(shape.slice(1))) {
      throw new DamagedFeaturesError(`${key} has other features than the files beside it`);
    }
    const imageBytes = file.payload.byteLength / file.shape[0];
    return rows.map((row) => {
      if (row < file.shape[0])
        return file.payload.subarray(row * imageBytes, (row + 1) * imageBytes);
      throw new DamagedFeaturesError(`${key} has features of ${file.shape[0]} images, no ${row}`);
    });
  });
  return {
    dtype,
    shape: [payloads.length, locations, channels],
    payload: Buffer.concat(payloads),
  };
}

/** A file as it is, which is what most often is wanted: megabytes that need not be copied. */
function isWhole({ pieces }: KeptFeaturesRef, file: ImageFeatures): boolean {
  const [piece, ...others] = pieces;
  const isAll = piece?.rows.length === file.shape[0];
  return isAll && others.length === 0 && piece.rows.every((row, place) => row === place);
}

async function loadFile(
  store: ObjectStore,
  { key, sha256, model }: { key: string; sha256: string; model: string },
): Promise<ImageFeatures> {
  const bytes = await readIfThere(store, key);
  if (!bytes) {
    throw new DamagedFeaturesError(`The features that were kept are gone: ${key}`, {
      failureClass: 'not-found',
    });
  }
  if ((await hashOf(bytes)) !== sha256) {
    throw new DamagedFeaturesError(`${key} was changed: its SHA-256 is another`);
  }
  const found = unpackFeatures(bytes);
  if (found.model !== model || found.features.dtype === 'answers') {
    throw new DamagedFeaturesError(`${key} has no features of ${model}`);
  }
  return found.features;
}
