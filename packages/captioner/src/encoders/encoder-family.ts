/**
 * What a network has to say about itself to serve as an encoder. One file defines it, one line in
 * index.ts registers it.
 */
import type { z } from 'zod';
import type { TensorOps } from '../tensor-ops.ts';
import type { ParameterSpecs, Weights } from '../weights.ts';

export interface EncoderFamily<Sizes> {
  /** The name in model.json. */
  name: string;
  /** The sizes in model.json. */
  sizesSchema: z.ZodType<Sizes>;
  /** Images to compute at a time on a CPU, where more gain nothing. */
  deviceBatch: number;
  parameters(sizes: Sizes): ParameterSpecs;
  /**
   * `[L,D]` of the feature map of an image of `height`×`width` pixels.
   *
   * @throws Error where it takes images of one size only, and this is another
   */
  featureMapShape(sizes: Sizes, height: number, width: number): readonly [number, number];
  /** normalised images `[B,H,W,3]` → the last feature map `[B,H',W',D]`, L = H'·W', or `[B,L,D]`. */
  encode<T>(ops: TensorOps<T>, weights: Weights<T>, sizes: Sizes, images: T): T;
}
