/** A model as files for other programs that run ONNX. */
import type { ModelBundle } from '../../model-bundle.ts';
import { formatOnnxModel } from './onnx-model.ts';
import { recordDecoder, recordEncoder } from './record-model.ts';

/** The model's graphs, weights included, by file name: what the `onnx` backend runs. */
export function exportOnnx(bundle: ModelBundle): Map<string, Uint8Array> {
  const { start, step } = recordDecoder(bundle);
  return new Map(
    [recordEncoder(bundle, 'uint8'), start, step].map((graph) => [
      `${graph.name}.onnx`,
      formatOnnxModel(graph),
    ]),
  );
}
