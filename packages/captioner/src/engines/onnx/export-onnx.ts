/** A model as files for other programs that run ONNX. */
import type { ModelBundle } from '../../model-bundle.ts';
import type { WeightType } from '../../weights.ts';
import { formatOnnxModel } from './onnx-model.ts';
import { recordDecoder, recordEncoder } from './record-model.ts';

/**
 * The model's graphs, weights included, by file name: what the `onnx` backend runs, but for the
 * features, which are in float32 here. Weights in float16 take half the bytes, are rounded to
 * 11 bits, and compute in float32 all the same.
 */
export function exportOnnx(
  bundle: ModelBundle,
  weightType: WeightType = 'float32',
): Map<string, Uint8Array> {
  const { start, step } = recordDecoder(bundle, 'float32', weightType);
  const encoder = recordEncoder(bundle, { pixels: 'uint8', features: 'float32' }, weightType);
  return new Map(
    [encoder, start, step].map((graph) => [`${graph.name}.onnx`, formatOnnxModel(graph)]),
  );
}
