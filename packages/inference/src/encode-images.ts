import type { Metrics } from '@cutline/shared/process';
import type { FeatureType, ImageRef } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { blankWarning, isBlank } from './blank.ts';
import { decodeImage } from './decode-image.ts';
import type { InferencePool } from './inference-pool.ts';
import { decodeParallelism } from './open-image.ts';
import { type PrepareContext, prepareImages } from './prepare-images.ts';
import type { EncodedImages } from './stages/stage.ts';

/** The encode stage as a function: images in a store to features. */

export interface EncodeLimits {
  /** Bytes of one image. */
  imageBytesMax: number;
  /** Width times height of one image. */
  imagePixelsMax: number;
  /** Time to decode one image, in milliseconds. */
  decodeTimeoutMs: number;
  /** Tries at fetching one image, at least 1. */
  fetchAttempts: number;
  /** Pause before the second try, in milliseconds; doubles with each further one. */
  retryBaseMs: number;
  /** Images fetched and decoded at once; so many sources are in memory at most. */
  fetchConcurrency: number;
}

export interface EncodeContext extends PrepareContext {
  store: ObjectStore;
  pool: InferencePool;
  limits: EncodeLimits;
  metrics: Metrics;
  /** Default: float16. */
  featureType?: FeatureType | undefined;
}

/**
 * Fetches, decodes and encodes a batch. What is kept of an image once it is decoded is its pixels
 * (150 KB at 224×224), whatever the size of its source.
 *
 * @throws UserError when the store is misconfigured; anything else thrown is a bug
 */
export async function encodeImages(
  images: readonly ImageRef[],
  context: EncodeContext,
): Promise<EncodedImages> {
  const { pool, metrics, limits, featureType: dtype = 'float16' } = context;
  const decoding = pLimit(decodeParallelism());
  const decodeLimits = { pixelsMax: limits.imagePixelsMax, timeoutMs: limits.decodeTimeoutMs };
  const decode = (bytes: Buffer, key: string) =>
    metrics.time('preprocess', () => decodeImage(bytes, pool.model.preprocessing, decodeLimits), {
      'cutline.key': key,
    });
  const prepared = await prepareImages(images, context, async (bytes, { key }) => {
    const { pixels, ...size } = await decoding(() => decode(bytes, key));
    return { value: pixels, ...size, ...(isBlank(pixels) && { warnings: [blankWarning] }) };
  });
  const outcomes = prepared.map(({ outcome }) => outcome);
  const decoded = prepared.flatMap(({ value }) => (value ? [value] : []));
  const count = decoded.length;
  if (count === 0) return { outcomes, features: undefined };
  const pixels = Buffer.concat(decoded);
  const payload = await metrics.time('encode', () => pool.encode(pixels, count, dtype));
  const { locations, channels } = pool.model.features;
  return { outcomes, features: { dtype, shape: [count, locations, channels], payload } };
}
