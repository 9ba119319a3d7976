/** The encoder half of a model bundle, run by ONNX Runtime. */
import { deviceBatchMax } from '../../int8.ts';
import type { EncoderBundle } from '../../model-bundle.ts';
import { findEncoderFamily } from '../../model-description.ts';
import type { Encoder } from '../engine.ts';
import { checkLength } from '../plain-arrays.ts';
import { float16Bits, type OnnxBackend, OnnxSession } from './onnx-session.ts';
import { type EncoderTypes, recordEncoder } from './record-model.ts';

export async function createEncoder(backend: OnnxBackend, bundle: EncoderBundle): Promise<Encoder> {
  const { preprocessing, features } = bundle.description;
  const { Tensor } = backend.ort;
  const shapeOf = (count: number) => [count, preprocessing.height, preprocessing.width, 3];
  const load = (types: EncoderTypes) =>
    OnnxSession.load(backend, recordEncoder(bundle, types), bundle.id);
  const session = await load({ pixels: 'uint8', features: 'float16' });
  /** Loaded when asked for: programs do not. */
  let exactSession: OnnxSession | undefined;

  return {
    deviceBatch: findEncoderFamily(bundle.description).family.deviceBatch,
    deviceBatchMax: deviceBatchMax(bundle.description),
    imageSize: [preprocessing.height, preprocessing.width],
    featuresShape: features.shape,

    async encode(pixels, count) {
      checkLength('pixels', pixels, shapeOf(count));
      const inputs = { pixels: new Tensor('uint8', pixels, shapeOf(count)) };
      return float16Bits((await session.run(inputs, ['features'])).features);
    },

    async encodeExactly(pixels, count) {
      checkLength('pixels', pixels, shapeOf(count));
      exactSession ??= await load({ pixels: 'float32', features: 'float32' });
      const inputs = { pixels: new Tensor('float32', pixels, shapeOf(count)) };
      return (await exactSession.run(inputs, ['features'])).features.data as Float32Array;
    },

    dispose() {
      session.dispose();
      exactSession?.dispose();
    },
  };
}
