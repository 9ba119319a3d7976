import {
  type DecodeStage,
  type EncodeLimits,
  type EncodeStage,
  type InferencePool,
  localDecodeStage,
  localEncodeStage,
} from '@cutline/inference';
import type { Metrics } from '@cutline/shared/process';
import type { CaptionOptions, FeatureType, ImageRef, PartRow } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import { applyOutcomes, toPartRows } from '../batch-results.ts';

export interface LocalPipeline {
  store: ObjectStore;
  encodeStage: EncodeStage;
  decodeStage: DecodeStage;
  /** Images of a batch: enough to compute well, few enough to see the first captions soon. */
  batchSize: number;
  options: CaptionOptions;
  /** Default: float16. */
  featureType?: FeatureType;
  /** Told how many images of a batch the encode stage has done with. */
  onEncoded?: (images: number) => void;
}

/** Of a batch. */
const imagesAThread = 32;

/** The stages of a model whose weights are loaded here. */
export function stagesOf(
  pool: InferencePool,
  { limits, metrics }: { limits: EncodeLimits; metrics: Metrics },
): Pick<LocalPipeline, 'encodeStage' | 'decodeStage' | 'batchSize'> {
  return {
    encodeStage: localEncodeStage(pool, { limits, metrics }),
    decodeStage: localDecodeStage(pool, { metrics }),
    batchSize: imagesAThread * pool.threadCount,
  };
}

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
  for await (const refs of batches(images, pipeline.batchSize)) {
    const previous = await encoding;
    encoding = encodeBatch(refs, pipeline);
    // It may fail while the previous batch is decoded; it is awaited, and heard, after that.
    encoding.catch(() => {});
    if (previous) yield await decodeBatch(previous, pipeline);
  }
  if (encoding) yield await decodeBatch(await encoding, pipeline);
}

async function encodeBatch(
  refs: ImageRef[],
  { store, encodeStage, featureType, onEncoded }: LocalPipeline,
) {
  const wanted = refs.filter((ref) => !ref.skipped);
  const { outcomes, features } = await encodeStage.encode(wanted, store, featureType);
  onEncoded?.(outcomes.filter(({ status }) => status === 'encoded').length);
  return { ...applyOutcomes(refs, outcomes, { defer: false }), features };
}

async function decodeBatch(
  { images, features }: Awaited<ReturnType<typeof encodeBatch>>,
  { decodeStage, options }: LocalPipeline,
): Promise<PartRow[]> {
  const captions = features ? await decodeStage.decode(features, options) : [];
  return toPartRows(images, captions, decodeStage.model);
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
