import { setMaxListeners } from 'node:events';
import { describeError, ImageError } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import type { ImageRef } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { type FetchLimits, fetchImage } from './fetch-image.ts';
import { isPassedOver } from './image-type.ts';
import { ServerError } from './served/server-error.ts';
import type { EncodeOutcome } from './stages/stage.ts';

/**
 * Fetches the images of a batch and has each of them prepared, many at a time. A batch never fails
 * for one of its images; each has an outcome of its own.
 */

export interface PrepareContext {
  store: ObjectStore;
  limits: FetchLimits & {
    /** Images fetched and prepared at once; so many sources are in memory at most. */
    fetchConcurrency: number;
  };
  metrics: Metrics;
  /** Gives the batch up; `prepareImages` rejects with its reason. */
  signal?: AbortSignal | undefined;
  /** [0, 1), for the jitter of retries; default: Math.random. */
  random?: (() => number) | undefined;
}

/** What became of one image, with its size as seen upright, in pixels. */
export interface Prepared<T> {
  value: T;
  width: number;
  height: number;
  /** For its row. */
  warnings?: string[];
}

export interface PreparedImage<T> {
  outcome: EncodeOutcome;
  /** Where the image is `encoded`, or about to be. */
  value?: T;
}

/**
 * @param prepare may throw ImageError, for a failure of the image, and whatever tells of an outage
 * @returns one entry an image, in order
 * @throws UserError when the store is misconfigured, and what else `prepare` throws: the first error
 *   that is not about one image ends the others' work, too
 */
export async function prepareImages<T>(
  images: readonly ImageRef[],
  context: PrepareContext,
  prepare: (bytes: Buffer, image: ImageRef, signal: AbortSignal) => Promise<Prepared<T>>,
): Promise<PreparedImage<T>[]> {
  const giveUp = new AbortController();
  const signal = context.signal ? AbortSignal.any([context.signal, giveUp.signal]) : giveUp.signal;
  // Every fetch listens to it, and many go on at once: that is no leak, as Node.js would warn.
  setMaxListeners(0, signal);
  const turn = pLimit(context.limits.fetchConcurrency);
  const preparations = images.map((image) =>
    turn(() =>
      prepareOne(image, { ...context, signal }, prepare).catch((error) => {
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

async function prepareOne<T>(
  image: ImageRef,
  context: PrepareContext & { signal: AbortSignal },
  prepare: (bytes: Buffer, image: ImageRef, signal: AbortSignal) => Promise<Prepared<T>>,
): Promise<PreparedImage<T>> {
  const { signal, random = Math.random } = context;
  signal.throwIfAborted();
  try {
    const { bytes, etag } = await fetchImage(image, { ...context, random });
    const { value, ...rest } = await prepare(bytes, image, signal);
    return { outcome: { status: 'encoded', etag, ...rest }, value };
  } catch (error) {
    if (isPassedOver(error, image.key)) {
      return { outcome: { status: 'skipped', reason: 'not-an-image' } };
    }
    if (error instanceof ImageError) {
      const failure = { class: error.failureClass, message: error.message };
      return { outcome: { status: 'failed', failure } };
    }
    if (isOutage(error)) {
      return { outcome: { status: 'deferred', message: describeError(error) } };
    }
    throw error;
  }
}

function isOutage(error: unknown): boolean {
  if (error instanceof ServerError) return error.fault === 'unavailable';
  return error instanceof StoreError && error.reason === 'unavailable';
}
