/** The encoder half of a model bundle, run by ONNX Runtime. */
import type { EncoderBundle } from '../../model-bundle.ts';
import type { Encoder } from '../engine.ts';
import { checkLength } from '../plain-arrays.ts';
import { type OnnxBackend, OnnxSession } from './onnx-session.ts';
import { recordEncoder } from './record-model.ts';

export async function createEncoder(backend: OnnxBackend, bundle: EncoderBundle): Promise<Encoder> {
  const { preprocessing, features } = bundle.description;
  const { height, width } = preprocessing;
  const { Tensor } = backend.ort;
  const bytesSession = await OnnxSession.load(backend, recordEncoder(bundle, 'uint8'));
  /** For pixels with fractions: comparisons use them, no program does. */
  let fractionsSession: OnnxSession | undefined;

  return {
    imageSize: [height, width],
    featuresShape: features.shape,

    async encode(pixels, count) {
      const shape = [count, height, width, 3];
      checkLength('pixels', pixels, shape);
      if (count === 0) return new Float32Array(0);
      if (pixels instanceof Uint8Array) {
        const input = new Tensor('uint8', pixels, shape);
        const output = await bytesSession.run({ pixels: input }, ['features']);
        return output.features.data as Float32Array;
      }
      fractionsSession ??= await OnnxSession.load(backend, recordEncoder(bundle, 'float32'));
      const input = new Tensor('float32', pixels, shape);
      const output = await fractionsSession.run({ pixels: input }, ['features']);
      return output.features.data as Float32Array;
    },

    dispose() {
      bytesSession.dispose();
      fractionsSession?.dispose();
    },
  };
}
