/** What a family of published checkpoints has to say about itself: how it is known, and converted. */
import type { ModelDescription, PreprocessingSpec } from '../model-description.ts';
import type { WeightArrays } from '../weights.ts';
import type { PublishedCheckpoint } from './published-checkpoint.ts';

/** Of config.json, what tells families apart. */
export interface ConfigKind {
  model_type?: string | undefined;
  architectures?: string[] | undefined;
  encoder?: { model_type?: string | undefined } | undefined;
  decoder?: { model_type?: string | undefined } | undefined;
}

export interface ConvertedModel {
  preprocessing: PreprocessingSpec;
  encoder: ModelDescription['encoder'] & { weights: WeightArrays };
  decoder: ModelDescription['decoder'] & { weights: WeightArrays };
  tokens: { size: number; start: number; end: number };
}

export interface PublishedFamily {
  isOf(config: ConfigKind): boolean;
  /** @throws Error that names the file and what is wrong, or not known here */
  convert(checkpoint: PublishedCheckpoint): Promise<ConvertedModel>;
}
