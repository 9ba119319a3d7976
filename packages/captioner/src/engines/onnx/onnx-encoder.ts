/** The encoder half of a model bundle, run by ONNX Runtime. */
import type { EncoderBundle } from '../../model-bundle.ts';
import { encodeInBatches, type Pixels } from '../encode-in-batches.ts';
import type { Encoder } from '../engine.ts';
import { type OnnxBackend, OnnxSession, type OrtTensor } from './onnx-session.ts';
import { recordEncoder } from './record-model.ts';

/**
 * Images computed at a time. One of 1, 8, 16, 32 images takes 4.9, 5.0, 5.5, 5.6 ms of processor
 * time, and memory grows by 20 MB an image.
 */
const batchMax = 8;

export async function createEncoder(backend: OnnxBackend, bundle: EncoderBundle): Promise<Encoder> {
  const { preprocessing, features } = bundle.description;
  const imageShape = [preprocessing.height, preprocessing.width, 3];
  const { Tensor } = backend.ort;
  const ofBytes = await OnnxSession.load(backend, recordEncoder(bundle, 'uint8'));
  /** For pixels with fractions: those who compare implementations have them, no program does. */
  let ofFractions: OnnxSession | undefined;

  const run = async (session: OnnxSession, pixels: OrtTensor) => {
    const outputs = await session.run({ pixels }, ['features']);
    return outputs.features.data as Float32Array;
  };

  const encodeBatch = async (pixels: Pixels, count: number) => {
    const shape = [count, ...imageShape];
    if (pixels instanceof Uint8Array) return run(ofBytes, new Tensor('uint8', pixels, shape));
    ofFractions ??= await OnnxSession.load(backend, recordEncoder(bundle, 'float32'));
    return run(ofFractions, new Tensor('float32', pixels, shape));
  };

  return {
    imageSize: [preprocessing.height, preprocessing.width],
    featuresShape: features.shape,
    encode: (pixels, count) =>
      encodeInBatches(
        pixels,
        count,
        { imageShape, featuresShape: features.shape, batchMax },
        encodeBatch,
      ),
    dispose() {
      ofBytes.dispose();
      ofFractions?.dispose();
    },
  };
}
