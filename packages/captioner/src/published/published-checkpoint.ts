/**
 * A checkpoint as it was published: configurations, and tensors by their published names. Whoever
 * has the files hands them over in this form; nothing is read here.
 */
import type { WeightArray } from '../weights.ts';

export interface PublishedCheckpoint {
  /** config.json */
  config: unknown;
  /** generation_config.json, if there is one. */
  generation?: unknown;
  /** preprocessor_config.json */
  preprocessor: unknown;
  /** tokenizer.json */
  tokenizer: Uint8Array;
  /** tokenizer_config.json, if there is one. */
  tokenizerConfig?: unknown;
  /**
   * The side of the images that the bundle is to take, in pixels, where it is not the one that the
   * encoder was trained on.
   */
  imageSize?: number | undefined;
  has(tensor: string): boolean;
  /** @throws Error where there is no such tensor, or it cannot be read */
  read(tensor: string): Promise<WeightArray>;
}

/** What is not in the files: how the model is called, and where it comes from. */
export interface PublishedOrigin {
  /** Of the bundle. */
  name: string;
  /** An SPDX identifier where there is one. */
  licence: string;
  /** Where it was published, and which commit of it. */
  provenance: string;
}
