/** How large a model is, and what it takes to run it: from model.json alone. */
import { decoderHalf, encoderHalf } from './cut.ts';
import { countParameters, estimateMemory } from './engines/onnx/estimate-memory.ts';
import type { ModelDescription } from './model-description.ts';

/** Images at a time of which memory is told. */
export const toldBatches = [1, 32] as const;

export interface ModelSize {
  parameters: { encoder: number; decoder: number };
  /** Of an image's features, as they travel. */
  featureBytes: number;
  /** Estimated (estimate-memory.ts), of a process with one inference thread. */
  memory: { images: number; encodeBytes: number; decodeBytes: number }[];
}

export function modelSize(description: ModelDescription): ModelSize {
  const [locations, channels] = description.features.shape;
  return {
    parameters: {
      encoder: countParameters(encoderHalf(description).parameters),
      decoder: countParameters(decoderHalf(description).parameters),
    },
    featureBytes: 2 * locations * channels, // float16
    memory: toldBatches.map((images) => ({
      images,
      encodeBytes: estimateMemory(description, 'encode', images),
      decodeBytes: estimateMemory(description, 'decode', images),
    })),
  };
}
