/**
 * TensorFlow.js's WebAssembly backend leaves some operations to scalar loops or to generic
 * JavaScript. The ones that matter to decoders are rewritten here in terms of its vectorised
 * kernels (XNNPACK), or over the tensor's own data. They have no gradients: they are for serving.
 */
import { selectTop } from '../../select-top.ts';
import { type Tensor, TfjsOps } from './tfjs-ops.ts';

export class WasmOps extends TfjsOps {
  /** tanh(x) = 2σ(2x) − 1. The backend's tanh is scalar, its sigmoid is not. */
  override tanh(x: Tensor): Tensor {
    return this.tf.sub(this.tf.mul(this.tf.sigmoid(this.tf.mul(x, 2)), 2), 1);
  }

  /**
   * log softmax(x) = x − (max x − log max softmax(x)). The largest probability is at least 1/V,
   * so its logarithm is well conditioned, and only one logarithm a row is taken.
   */
  override logSoftmax(x: Tensor): Tensor {
    const largest = this.tf.max(x, -1, true);
    const probability = this.tf.max(this.tf.softmax(x), -1, true);
    return this.tf.sub(x, this.tf.sub(largest, this.tf.log(probability)));
  }

  /** The backend's own topk makes an object of every element. */
  override topK(x: Tensor, count: number): { values: Tensor; indices: Tensor } {
    const [rows, columns] = x.shape as [number, number];
    const { values, indices } = selectTop(x.dataSync() as Float32Array, rows, columns, count);
    return {
      values: this.tf.tensor2d(values, [rows, count]),
      indices: this.tf.tensor2d(indices, [rows, count], 'int32'),
    };
  }
}
