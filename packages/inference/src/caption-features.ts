import type { Metrics } from '@cutline/shared/process';
import type { CaptionOptions } from '@cutline/shared/run';
import type { ImageCaptions } from './inference-messages.ts';
import type { InferencePool } from './inference-pool.ts';

/**
 * The decode stage as a function: features of `count` images, [count, L, D] float16 bytes, to their
 * captions, in order.
 */
export function captionFeatures(
  features: Uint8Array,
  count: number,
  { pool, options, metrics }: { pool: InferencePool; options: CaptionOptions; metrics: Metrics },
): Promise<ImageCaptions[]> {
  return metrics.time('decode', () => pool.decode(features, count, options));
}
