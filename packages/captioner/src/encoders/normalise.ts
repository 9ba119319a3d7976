/**
 * The first operations of every encoder. They belong to the model's graph, so that images are
 * exchanged between threads as bytes.
 */
import type { TensorOps } from '../tensor-ops.ts';

export interface Normalisation {
  /** Of R, G and B in [0,1], over the images that the encoder was trained on. */
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** `pixels [B,H,W,3]` in 0..255 → (pixels/255 − mean)/std. */
export function normalise<T>(ops: TensorOps<T>, pixels: T, { mean, std }: Normalisation): T {
  const scale = Float32Array.from(std, (s) => 1 / (255 * s));
  const shift = Float32Array.from(mean, (m, channel) => -m / (std[channel] as number));
  return ops.add(ops.mul(pixels, ops.constant(scale, [3])), ops.constant(shift, [3]));
}
