import type { Metrics } from '@cutline/shared/process';
import type { CaptionOptions } from '@cutline/shared/run';
import type { ImageCaptions } from './inference-messages.ts';
import type { InferencePool } from './inference-pool.ts';
import type { ImageFeatures } from './stages/stage.ts';

/** The decode stage as a function: features of images to their captions, in order. */
export function captionFeatures(
  { dtype, shape: [count], payload }: ImageFeatures,
  { pool, options, metrics }: { pool: InferencePool; options: CaptionOptions; metrics: Metrics },
): Promise<ImageCaptions[]> {
  return metrics.time('decode', () => pool.decode(payload, count, options, dtype));
}
