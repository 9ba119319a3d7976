import type { Metrics } from '@cutline/shared/process';
import { captionFeatures } from '../caption-features.ts';
import { type EncodeLimits, encodeImages } from '../encode-images.ts';
import type { InferencePool } from '../inference-pool.ts';
import type { DecodeStage, EncodeStage } from './stage.ts';

/** The stages of a model whose weights are loaded here: a pool of threads computes them. */

export function localEncodeStage(
  pool: InferencePool,
  { limits, metrics }: { limits: EncodeLimits; metrics: Metrics },
): EncodeStage {
  const { width, height } = pool.model.preprocessing;
  return {
    model: pool.model.id,
    encode: (images, store, featureType) =>
      encodeImages(images, { store, pool, limits, metrics, featureType }),
    prove: () => pool.encode(new Uint8Array(width * height * 3), 1),
    busy: () => pool.busy(),
  };
}

export function localDecodeStage(
  pool: InferencePool,
  { metrics }: { metrics: Metrics },
): DecodeStage {
  const { id, features, decoding } = pool.model;
  const { locations, channels } = features;
  return {
    model: id,
    // A thread computes a whole batch: one each, and one that is fetched or written.
    jobConcurrency: pool.threadCount + 1,
    async decode(encoded, options) {
      if (encoded.dtype === 'answers') throw new Error('expected features, got answers');
      return captionFeatures(encoded, { pool, options, metrics });
    },
    prove: () => pool.decode(new Uint8Array(locations * channels * 2), 1, decoding),
    busy: () => pool.busy(),
  };
}
