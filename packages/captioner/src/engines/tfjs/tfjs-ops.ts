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

  zeros(rowsOf: Tensor, row: readonly number[]): Tensor {
    return this.tf.zeros([rowsOf.shape[0] as number, ...row]);
  }

  conv2d(x: Tensor, kernel: Tensor, options: ConvolutionOptions<Tensor>): Tensor {
    return this.tf.fused.conv2d(convolution(x, kernel, options));
  }

  depthwiseConv2d(x: Tensor, kernel: Tensor, options: ConvolutionOptions<Tensor>): Tensor {
    return this.tf.fused.depthwiseConv2d(convolution(x, kernel, options));
  }

  dense(x: Tensor, kernel: Tensor, bias?: Tensor, activation?: Activation): Tensor {
    const [inputs, outputs] = kernel.shape as [number, number];
    const fused = activation && isFused(activation) ? activation : undefined;
    const product = this.tf.fused.matMul({
      a: this.reshape(x, [-1, inputs]),
      b: kernel,
      ...(bias && { bias }),
      ...(fused && { activation: fused }),
    });
    const activated =
      !activation || isFused(activation) ? product : this.#activate(product, activation);
    return this.reshape(activated, [...x.shape.slice(0, -1), outputs]);
  }

  /** As ONNX's DynamicQuantizeLinear rounds; halves to even in both. */
  denseInt8(
    x: Tensor,
    codes: Tensor,
    scales: Tensor,
    bias?: Tensor,
    activation?: Activation,
  ): Tensor {
    const { tf } = this;
    const least = tf.minimum(tf.min(x), 0);
    const step = tf.div(tf.sub(tf.maximum(tf.max(x), 0), least), 255); // []
    const zero = tf.round(tf.div(tf.neg(least), step));
    const bytes = tf.clipByValue(tf.add(tf.round(tf.div(x, step)), zero), 0, 255);
    const product = this.dense(tf.sub(bytes, zero), codes);
    const scaled = tf.mul(product, tf.mul(step, scales));
    const biased = bias ? tf.add(scaled, bias) : scaled;
    return activation ? this.#activate(biased, activation) : biased;
  }

  matMul(a: Tensor, b: Tensor): Tensor {
    return this.tf.matMul(a, b);
  }

  attention(q: Tensor, k: Tensor, v: Tensor, heads: number): Tensor {
    const byHead = (x: Tensor) => {
      const [batch = 0, rows = 0, channels = 0] = x.shape;
      return this.transpose(this.reshape(x, [batch, rows, heads, channels / heads]), [0, 2, 1, 3]);
    };
    const width = (q.shape[2] as number) / heads;
    const scaled = this.tf.mul(byHead(q), 1 / Math.sqrt(width)); // [B,h,M,d]
    const weights = this.softmax(this.tf.matMul(scaled, byHead(k), false, true)); // [B,h,M,N]
    const seen = this.transpose(this.tf.matMul(weights, byHead(v)), [0, 2, 1, 3]); // [B,M,h,d]
    return this.reshape(seen, q.shape);
  }

  layerNorm(x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor {
    const { mean, variance } = this.tf.moments(x, -1, true);
    const normal = this.tf.mul(this.tf.sub(x, mean), this.tf.rsqrt(this.tf.add(variance, epsilon)));
    return this.tf.add(this.tf.mul(normal, scale), shift);
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

  cut(x: Tensor, length: number): [Tensor, Tensor] {
    const rest = (x.shape.at(-1) as number) - length;
    return this.tf.split(x, [length, rest], -1) as [Tensor, Tensor];
  }

  concat(xs: readonly Tensor[], axis: number): Tensor {
    return this.tf.concat([...xs], axis);
  }

  gather(x: Tensor, indices: Tensor): Tensor {
    return this.tf.gather(x, indices as TensorFlow.Tensor1D);
  }

  topK(x: Tensor, count: number): { values: Tensor; indices: Tensor } {
    return this.tf.topk(x, count);
  }

  #activate(x: Tensor, activation: Activation): Tensor {
    const half = (y: Tensor) => this.tf.mul(this.tf.mul(x, 0.5), this.tf.add(y, 1));
    switch (activation) {
      case 'relu':
        return this.tf.relu(x);
      case 'relu6':
        return this.tf.relu6(x);
      case 'sigmoid':
        return this.sigmoid(x);
      case 'tanh':
        return this.tanh(x);
      case 'gelu':
        return half(this.tf.erf(this.tf.mul(x, Math.SQRT1_2)));
      case 'gelu-tanh': {
        const cubic = this.tf.mul(this.tf.mul(this.tf.square(x), x), 0.044715);
        return half(this.tanh(this.tf.mul(this.tf.add(x, cubic), Math.sqrt(2 / Math.PI))));
      }
      case 'gelu-sigmoid':
        return this.tf.mul(x, this.sigmoid(this.tf.mul(x, 1.702)));
    }
  }
}

/** Those that TensorFlow.js computes together with a product. */
type FusedActivation = 'relu' | 'relu6' | 'sigmoid';

function isFused(activation: Activation): activation is FusedActivation {
  return activation === 'relu' || activation === 'relu6' || activation === 'sigmoid';
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
