/** The encoder half of a model bundle, run by TensorFlow.js. */
import { normalise } from '../../encoders/normalise.ts';
import type { EncoderBundle } from '../../model-bundle.ts';
import { findEncoderFamily } from '../../model-description.ts';
import { Weights } from '../../weights.ts';
import type { Encoder } from '../engine.ts';
import { checkLength, download, uploadWeights } from './tensors.ts';
import type { Tf, TfjsOps } from './tfjs-ops.ts';

export function createEncoder(tf: Tf, ops: TfjsOps, bundle: EncoderBundle): Encoder {
  const { preprocessing, features } = bundle.description;
  const { height, width } = preprocessing;
  const { family, sizes } = findEncoderFamily(bundle.description);
  const tensors = uploadWeights(tf, bundle.encoder);
  const weights = new Weights(tensors);

  return {
    imageSize: [height, width],
    featuresShape: features.shape,

    async encode(pixels, count) {
      checkLength('pixels', pixels, [count, height, width, 3]);
      if (count === 0) return new Float32Array(0);
      return download(
        tf.tidy(() => {
          const bytes = ops.constant(new Float32Array(pixels), [count, height, width, 3]);
          const images = normalise(ops, bytes, preprocessing);
          const featureMap = family.encode(ops, weights, sizes, images); // [B,H',W',D]
          return ops.reshape(featureMap, [-1, ...features.shape]); // [B,L,D]
        }),
      );
    },

    dispose: () => tf.dispose([...tensors.values()]),
  };
}
