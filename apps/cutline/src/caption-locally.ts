import {
  captionFeatures,
  type EncodeLimits,
  encodeImages,
  type InferencePool,
} from '@cutline/inference';
import { applyOutcomes, toPartRows } from '@cutline/pipeline';
import type { Metrics } from '@cutline/shared/process';
import type { CaptionOptions, ImageRef, PartRow } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';

export interface LocalPipeline {
  store: ObjectStore;
  pool: InferencePool;
  limits: EncodeLimits;
  options: CaptionOptions;
  metrics: Metrics;
}

/** Of a batch: enough to compute well, few enough to see the first captions soon. */
const imagesAThread = 32;

/**
 * The whole pipeline in one process: the functions of the two workers without queues between
 * them, so that a laptop gets the captions that a cluster gives. While one batch is decoded, the
 * next is fetched and encoded.
 */
export async function* captionLocally(
  images: AsyncIterable<ImageRef>,
  pipeline: LocalPipeline,
): AsyncGenerator<PartRow[]> {
  let encoding: ReturnType<typeof encodeBatch> | undefined;
  for await (const refs of batches(images, imagesAThread * pipeline.pool.threadCount)) {
    const previous = await encoding;
    encoding = encodeBatch(refs, pipeline);
    // It may fail while the previous batch is decoded; it is awaited, and heard, after that.
    encoding.catch(() => {});
    if (previous) yield await decodeBatch(previous, pipeline);
  }
  if (encoding) yield await decodeBatch(await encoding, pipeline);
}

async function encodeBatch(refs: ImageRef[], { store, pool, limits, metrics }: LocalPipeline) {
  const wanted = refs.filter((ref) => !ref.skipped);
  const { outcomes, features } = await encodeImages(wanted, { store, pool, limits, metrics });
  return { ...applyOutcomes(refs, outcomes, { defer: false }), features };
}

async function decodeBatch(
  { images, features }: Awaited<ReturnType<typeof encodeBatch>>,
  { pool, options, metrics }: LocalPipeline,
): Promise<PartRow[]> {
  const count = images.filter((image) => image.status === 'encoded').length;
  const captions =
    count === 0 ? [] : await captionFeatures(features, count, { pool, options, metrics });
  return toPartRows(images, captions, pool.model.id);
}

async function* batches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
