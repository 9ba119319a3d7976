import { setMaxListeners } from 'node:events';
import { describeError, ImageError } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import type { ImageRef } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { type DecodedImage, decodeImage, decodeParallelism } from './decode-image.ts';
import { type FetchLimits, fetchImage } from './fetch-image.ts';
import type { InferencePool } from './inference-pool.ts';
import type { EncodedImages, EncodeOutcome } from './stages/stage.ts';

/**
 * The encode stage as a function: images in a store to features. A batch never fails for one of
 * its images; each has an outcome of its own.
 */

export interface EncodeLimits extends FetchLimits {
  /** Width times height of one image. */
  imagePixelsMax: number;
  /** Time to decode one image. */
  decodeTimeoutMs: number;
  /** Images fetched and decoded at once; so many sources are in memory at most. */
  fetchConcurrency: number;
}

export interface EncodeContext {
  store: ObjectStore;
  pool: InferencePool;
  limits: EncodeLimits;
  metrics: Metrics;
  /** Gives the batch up; `encodeImages` rejects with its reason. */
  signal?: AbortSignal;
  /** [0, 1), for the jitter of retries; default: Math.random. */
  random?: () => number;
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
  const prepared = await prepareAll(images, context);
  const decoded = prepared.flatMap(({ pixels }) => (pixels ? [pixels] : []));
  const { pool, metrics } = context;
  const outcomes = prepared.map(({ outcome }) => outcome);
  const count = decoded.length;
  if (count === 0) return { outcomes, features: undefined };
  const payload = await metrics.time('encode', () => pool.encode(Buffer.concat(decoded), count));
  const { locations, channels } = pool.model.features;
  return {
    outcomes,
    features: { dtype: 'float16', shape: [count, locations, channels], payload },
  };
}

interface PreparedImage {
  outcome: EncodeOutcome;
  /** Where the image is to be encoded. */
  pixels?: Uint8Array;
}

/** The first error that is not about one image ends the others' work, too. */
async function prepareAll(
  images: readonly ImageRef[],
  context: EncodeContext,
): Promise<PreparedImage[]> {
  const giveUp = new AbortController();
  const signal = context.signal ? AbortSignal.any([context.signal, giveUp.signal]) : giveUp.signal;
  // Every fetch listens to it, and many go on at once: that is no leak, as Node.js would warn.
  setMaxListeners(0, signal);
  const fetching = pLimit(context.limits.fetchConcurrency);
  const decoding = pLimit(decodeParallelism());
  const decode = (bytes: Buffer) => decoding(() => decodeTimed(bytes, context));
  const preparations = images.map((image) =>
    fetching(() =>
      prepare(image, { ...context, signal, decode }).catch((error) => {
        giveUp.abort(error);
        throw error;
      }),
    ),
  );
  // Waits for all, so that nothing of a batch that failed goes on behind the caller's back.
  await Promise.allSettled(preparations);
  signal.throwIfAborted();
  return Promise.all(preparations);
}

async function prepare(
  image: ImageRef,
  context: EncodeContext & {
    signal: AbortSignal;
    decode: (bytes: Buffer) => Promise<DecodedImage>;
  },
): Promise<PreparedImage> {
  const { signal, random = Math.random, decode } = context;
  signal.throwIfAborted();
  try {
    const { bytes, etag } = await fetchImage(image, { ...context, random });
    const { pixels, width, height } = await decode(bytes);
    return { outcome: { status: 'encoded', etag, width, height }, pixels };
  } catch (error) {
    if (error instanceof ImageError) {
      const failure = { class: error.failureClass, message: error.message };
      return { outcome: { status: 'failed', failure } };
    }
    if (error instanceof StoreError && error.reason === 'unavailable') {
      return { outcome: { status: 'deferred', message: describeError(error) } };
    }
    throw error;
  }
}

function decodeTimed(
  bytes: Buffer,
  { pool, limits, metrics }: EncodeContext,
): Promise<DecodedImage> {
  const decodeLimits = { pixelsMax: limits.imagePixelsMax, timeoutMs: limits.decodeTimeoutMs };
  return metrics.time('preprocess', () =>
    decodeImage(bytes, pool.model.preprocessing, decodeLimits),
  );
}
