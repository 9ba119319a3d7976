import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@cutline/shared/backoff';
import { type FailureClass, ImageError, UserError } from '@cutline/shared/errors';
import type { Metrics } from '@cutline/shared/process';
import type { ImageRef } from '@cutline/shared/run';
import { type ObjectStore, type StoredObject, StoreError } from '@cutline/shared/stores';

/**
 * One image's bytes out of a store, with patience: an outage of seconds is waited out here, one of
 * minutes is the caller's to deal with.
 */

export interface FetchLimits {
  /** Bytes of one image. */
  imageBytesMax: number;
  /** Tries at one image, at least 1. */
  fetchAttempts: number;
  /** Pause before the second try, in milliseconds; doubles with each further one. */
  retryBaseMs: number;
}

export interface FetchContext {
  store: ObjectStore;
  limits: FetchLimits;
  metrics: Metrics;
  signal: AbortSignal;
  /** [0, 1): spreads the retries of many workers over time. */
  random: () => number;
}

/**
 * @throws ImageError `not-found`, `access-denied`, `changed` or `too-large`
 * @throws StoreError `unavailable`, when the last try failed
 * @throws UserError when the store is misconfigured, which no other image would survive either
 */
export async function fetchImage(image: ImageRef, context: FetchContext): Promise<StoredObject> {
  const { limits, metrics, signal, random } = context;
  for (let attempt = 1; ; attempt++) {
    try {
      return await metrics.time('fetch', () => tryToFetch(image, context), {
        'cutline.key': image.key,
      });
    } catch (error) {
      const isOutage = error instanceof StoreError && error.reason === 'unavailable';
      if (!isOutage || attempt >= limits.fetchAttempts) throw error;
    }
    metrics.retries.inc({ stage: 'fetch' });
    await sleep(backoffMs(attempt, { baseMs: limits.retryBaseMs, random }), undefined, { signal });
  }
}

async function tryToFetch(
  { key, etag, bytes }: ImageRef,
  { store, limits: { imageBytesMax }, signal }: FetchContext,
): Promise<StoredObject> {
  if (bytes !== null && bytes > imageBytesMax) {
    throw new ImageError('too-large', `${bytes} bytes; at most ${imageBytesMax} are accepted`);
  }
  try {
    return await store.get(key, { bytesMax: imageBytesMax, etag: etag ?? undefined, signal });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.reason === 'misconfigured') throw new UserError(error.message, { cause: error });
    if (error.reason === 'unavailable') throw error;
    // Of puts only.
    if (error.reason === 'exists' || error.reason === 'refused') throw error;
    throw new ImageError(error.reason satisfies FailureClass, error.message, { cause: error });
  }
}
