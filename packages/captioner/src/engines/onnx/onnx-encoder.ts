/**
 * The encoder half of a model bundle, run by ONNX Runtime, which has the weights in forms of its own:
 * nothing here holds on to the bundle's.
 */
import { deviceBatchMax } from '../../int8.ts';
import type { EncoderBundle } from '../../model-bundle.ts';
import { findEncoderFamily } from '../../model-description.ts';
import type { Encoder, ExactEncoder } from '../engine.ts';
import { checkLength } from '../plain-arrays.ts';
import { float16Bits, type OnnxBackend, OnnxSession } from './onnx-session.ts';
import { recordEncoder } from './record-model.ts';

export async function createEncoder(backend: OnnxBackend, bundle: EncoderBundle): Promise<Encoder> {
  const { description, id } = bundle;
  const { preprocessing, features } = description;
  const { Tensor } = backend.ort;
  const shapeOf = (count: number) => [count, preprocessing.height, preprocessing.width, 3];
  const graph = recordEncoder(bundle, { pixels: 'uint8', features: 'float16' });
  const session = await OnnxSession.load(backend, graph, id);
  return {
    deviceBatch: findEncoderFamily(description).family.deviceBatch,
    deviceBatchMax: deviceBatchMax(description),
    imageSize: [preprocessing.height, preprocessing.width],
    featuresShape: features.shape,

    async encode(pixels, count) {
      checkLength('pixels', pixels, shapeOf(count));
      const inputs = { pixels: new Tensor('uint8', pixels, shapeOf(count)) };
      return float16Bits((await session.run(inputs, ['features'])).features);
    },

    dispose: () => session.dispose(),
  };
}

export async function createExactEncoder(
  backend: OnnxBackend,
  bundle: EncoderBundle,
): Promise<ExactEncoder> {
  const { height, width } = bundle.description.preprocessing;
  const graph = recordEncoder(bundle, { pixels: 'float32', features: 'float32' });
  const session = await OnnxSession.load(backend, graph, bundle.id);
  return {
    async encode(pixels, count) {
      const shape = [count, height, width, 3];
      checkLength('pixels', pixels, shape);
      const inputs = { pixels: new backend.ort.Tensor('float32', pixels, shape) };
      return (await session.run(inputs, ['features'])).features.data as Float32Array;
    },
    dispose: () => session.dispose(),
  };
}
