/**
 * TensorFlow's own convolutions know two kinds of padding by name, and tfjs-node passes no other
 * on without losing the gradient. Here the one that `TensorOps` speaks of, so many zeros on every
 * side, is expressed by them.
 */
import type * as TensorFlow from '@tensorflow/tfjs-core';
import type { ConvolutionOptions } from '../../tensor-ops.ts';
import { convolution, type Tensor, TfjsOps } from './tfjs-ops.ts';

export class TensorflowOps extends TfjsOps {
  override conv2d(x: Tensor, kernel: Tensor, options: ConvolutionOptions<Tensor>): Tensor {
    return this.tf.fused.conv2d({
      ...convolution(x, kernel, options),
      ...this.#padding(x, kernel, options),
    });
  }

  override depthwiseConv2d(x: Tensor, kernel: Tensor, options: ConvolutionOptions<Tensor>): Tensor {
    return this.tf.fused.depthwiseConv2d({
      ...convolution(x, kernel, options),
      ...this.#padding(x, kernel, options),
    });
  }

  /** `same` is the same on every side where the stride is 1, and elsewhere depends on the size. */
  #padding(
    x: Tensor,
    { shape: [side = 0] }: Tensor,
    { padding = 0, stride = 1 }: ConvolutionOptions<Tensor>,
  ): { x: TensorFlow.Tensor4D; pad: 'same' | 'valid' } {
    const images = x as TensorFlow.Tensor4D;
    if (padding === 0) return { x: images, pad: 'valid' };
    if (stride === 1 && side === 2 * padding + 1) return { x: images, pad: 'same' };
    const around: [number, number] = [padding, padding];
    return { x: this.tf.pad(images, [[0, 0], around, around, [0, 0]]), pad: 'valid' };
  }
}
