/** The encoder half of a model bundle, run by TensorFlow.js. */
import { encoderHalf } from '../../cut.ts';
import type { EncoderBundle } from '../../model-bundle.ts';
import { Weights } from '../../weights.ts';
import { encodeInBatches, type Pixels } from '../encode-in-batches.ts';
import type { Encoder } from '../engine.ts';
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
  const half = encoderHalf(bundle.description);
  const tensors = uploadWeights(tf, bundle.encoder);
  const weights = new Weights(tensors);

  const encodeBatch = (pixels: Pixels, count: number): Promise<Float32Array> =>
    download(
      tf.tidy(() => {
        const bytes = ops.constant(new Float32Array(pixels), [count, height, width, 3]);
        return half.encode(ops, weights, bytes); // [B,L,D]
      }),
    );

  return {
    imageSize: [height, width],
    featuresShape: features.shape,
    encode: (pixels, count) =>
      encodeInBatches(
        pixels,
        count,
        { imageShape: [height, width, 3], featuresShape: features.shape, batchMax },
        encodeBatch,
      ),
    dispose: () => tf.dispose([...tensors.values()]),
  };
}
