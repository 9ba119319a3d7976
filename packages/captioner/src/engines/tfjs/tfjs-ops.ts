/**
 * `TensorOps` executed eagerly by TensorFlow.js. Every operation here has a gradient in
 * TensorFlow.js, so a trainer can differentiate what is served.
 */
import type * as TensorFlow from '@tensorflow/tfjs-core';
import type { Activation, ConvolutionOptions, TensorOps } from '../../tensor-ops.ts';

export type Tf = typeof TensorFlow;
export type Tensor = TensorFlow.Tensor;

export class TfjsOps implements TensorOps<Tensor> {
  protected readonly tf: Tf;

  constructor(tf: Tf) {
    this.tf = tf;
  }

  constant(values: Float32Array, shape: readonly number[]): Tensor {
    return this.tf.tensor(values, [...shape], 'float32');
  }

  zeros(rowsOf: Tensor, columns: number): Tensor {
    return this.tf.zeros([rowsOf.shape[0] as number, columns]);
  }

  conv2d(x: Tensor, kernel: Tensor, options: ConvolutionOptions<Tensor>): Tensor {
    return this.tf.fused.conv2d(convolution(x, kernel, options));
  }

  depthwiseConv2d(x: Tensor, kernel: Tensor, options: ConvolutionOptions<Tensor>): Tensor {
    return this.tf.fused.depthwiseConv2d(convolution(x, kernel, options));
  }

  dense(x: Tensor, kernel: Tensor, bias?: Tensor, activation?: Activation): Tensor {
    const [inputs, outputs] = kernel.shape as [number, number];
    // TensorFlow.js fuses no tanh.
    const fused = activation === 'tanh' ? undefined : activation;
    const product = this.tf.fused.matMul({
      a: this.reshape(x, [-1, inputs]),
      b: kernel,
      ...(bias && { bias }),
      ...(fused && { activation: fused }),
    });
    const activated = activation === 'tanh' ? this.tanh(product) : product;
    return this.reshape(activated, [...x.shape.slice(0, -1), outputs]);
  }

  matMul(a: Tensor, b: Tensor): Tensor {
    return this.tf.matMul(a, b);
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.tf.add(a, b);
  }

  mul(a: Tensor, b: Tensor): Tensor {
    return this.tf.mul(a, b);
  }

  tanh(x: Tensor): Tensor {
    return this.tf.tanh(x);
  }

  sigmoid(x: Tensor): Tensor {
    return this.tf.sigmoid(x);
  }

  softmax(x: Tensor): Tensor {
    return this.tf.softmax(x);
  }

  logSoftmax(x: Tensor): Tensor {
    return this.tf.logSoftmax(x);
  }

  mean(x: Tensor, axis: number): Tensor {
    return this.tf.mean(x, axis);
  }

  reshape(x: Tensor, shape: readonly number[]): Tensor {
    return this.tf.reshape(x, [...shape]);
  }

  transpose(x: Tensor, permutation: readonly number[]): Tensor {
    return this.tf.transpose(x, [...permutation]);
  }

  split(x: Tensor, count: number): Tensor[] {
    return this.tf.split(x, count, -1);
  }

  gather(x: Tensor, indices: Tensor): Tensor {
    return this.tf.gather(x, indices as TensorFlow.Tensor1D);
  }

  topK(x: Tensor, count: number): { values: Tensor; indices: Tensor } {
    return this.tf.topk(x, count);
  }
}

export function convolution(
  x: Tensor,
  filter: Tensor,
  { bias, stride = 1, padding = 0, activation }: ConvolutionOptions<Tensor>,
) {
  return {
    x: x as TensorFlow.Tensor4D,
    filter: filter as TensorFlow.Tensor4D,
    strides: stride,
    pad: padding,
    bias,
    ...(activation && { activation }),
  };
}
