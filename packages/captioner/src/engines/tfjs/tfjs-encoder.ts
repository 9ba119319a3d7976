/** The encoder half of a model bundle, run by TensorFlow.js. */
import { normalise } from '../../encoders/normalise.ts';
import type { EncoderBundle } from '../../model-bundle.ts';
import { findEncoderFamily } from '../../model-description.ts';
import { elementCount, Weights } from '../../weights.ts';
import type { Encoder } from '../engine.ts';
import { checkLength } from '../plain-arrays.ts';
import { download, uploadWeights } from './tensors.ts';
import type { Tf, TfjsOps } from './tfjs-ops.ts';

/** @param batchMax Images computed at a time: larger batches are cut, smaller ones left alone. */
export function createEncoder(
  tf: Tf,
  ops: TfjsOps,
  bundle: EncoderBundle,
  batchMax: number,
): Encoder {
  const { preprocessing, features } = bundle.description;
  const { height, width } = preprocessing;
  const { family, sizes } = findEncoderFamily(bundle.description);
  const tensors = uploadWeights(tf, bundle.encoder);
  const weights = new Weights(tensors);

  const imageLength = height * width * 3;
  const featuresLength = elementCount(features.shape);

  const encodeBatch = (pixels: Uint8Array | Float32Array, count: number): Promise<Float32Array> =>
    download(
      tf.tidy(() => {
        const bytes = ops.constant(new Float32Array(pixels), [count, height, width, 3]);
        const images = normalise(ops, bytes, preprocessing);
        const featureMap = family.encode(ops, weights, sizes, images); // [B,H',W',D]
        return ops.reshape(featureMap, [-1, ...features.shape]); // [B,L,D]
      }),
    );

  return {
    imageSize: [height, width],
    featuresShape: features.shape,

    async encode(pixels, count) {
      checkLength('pixels', pixels, [count, height, width, 3]);
      const encoded = new Float32Array(count * featuresLength);
      for (let begin = 0; begin < count; begin += batchMax) {
        const end = Math.min(begin + batchMax, count);
        const batch = pixels.subarray(begin * imageLength, end * imageLength);
        encoded.set(await encodeBatch(batch, end - begin), begin * featuresLength);
      }
      return encoded;
    },

    dispose: () => tf.dispose([...tensors.values()]),
  };
}
