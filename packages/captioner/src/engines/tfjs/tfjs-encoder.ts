/** The encoder half of a model bundle, run by TensorFlow.js. */
import { encoderHalf } from '../../cut.ts';
import { toFloat16 } from '../../float16.ts';
import { deviceBatchMax } from '../../int8.ts';
import type { EncoderBundle } from '../../model-bundle.ts';
import { Weights } from '../../weights.ts';
import type { Encoder } from '../engine.ts';
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
  const { height, width } = preprocessing;
  const half = encoderHalf(bundle.description);
  const tensors = uploadWeights(tf, bundle.encoder);
  const weights = new Weights(tensors);

  const encodeExactly: Encoder['encodeExactly'] = (pixels, count) => {
    const shape = [count, height, width, 3];
    checkLength('pixels', pixels, shape);
    const encoded = tf.tidy(() => half.encode(ops, weights, ops.constant(pixels, shape))); // [B,L,D]
    return download(encoded);
  };

  return {
    deviceBatch,
    deviceBatchMax: deviceBatchMax(bundle.description),
    imageSize: [height, width],
    featuresShape: features.shape,
    async encode(pixels, count) {
      return toFloat16(await encodeExactly(new Float32Array(pixels), count));
    },
    encodeExactly,
    dispose: () => tf.dispose([...tensors.values()]),
  };
}
