/** The encoder half of a model bundle, run by TensorFlow.js. */
import { encoderHalf } from '../../cut.ts';
import { toFloat16 } from '../../float16.ts';
import { deviceBatchMax } from '../../int8.ts';
import type { EncoderBundle } from '../../model-bundle.ts';
import { Weights } from '../../weights.ts';
import type { Encoder, ExactEncoder } from '../engine.ts';
import { checkLength } from '../plain-arrays.ts';
import { download, uploadWeights } from './tensors.ts';
import type { Tf, TfjsOps } from './tfjs-ops.ts';

export function createEncoder(
  tf: Tf,
  ops: TfjsOps,
  bundle: EncoderBundle,
  deviceBatch: number,
): Encoder {
  const { preprocessing, features } = bundle.description;
  const { encode, dispose } = createExactEncoder(tf, ops, bundle);
  return {
    deviceBatch,
    deviceBatchMax: deviceBatchMax(bundle.description),
    imageSize: [preprocessing.height, preprocessing.width],
    featuresShape: features.shape,
    async encode(pixels, count) {
      return toFloat16(await encode(new Float32Array(pixels), count));
    },
    dispose,
  };
}

export function createExactEncoder(
  tf: Tf,
  ops: TfjsOps,
  { description, encoder }: EncoderBundle,
): ExactEncoder {
  const { height, width } = description.preprocessing;
  const half = encoderHalf(description);
  const tensors = uploadWeights(tf, encoder);
  const weights = new Weights(tensors);
  return {
    async encode(pixels, count) {
      const shape = [count, height, width, 3];
      checkLength('pixels', pixels, shape);
      const encoded = tf.tidy(() => half.encode(ops, weights, ops.constant(pixels, shape))); // [B,L,D]
      return download(encoded);
    },
    dispose: () => tf.dispose([...tensors.values()]),
  };
}
