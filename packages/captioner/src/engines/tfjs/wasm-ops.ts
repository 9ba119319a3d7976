/**
 * TensorFlow.js's WebAssembly backend leaves some operations to scalar loops or to generic
 * JavaScript. The ones that matter to decoders are rewritten here in terms of its vectorised
 * kernels (XNNPACK), or over the tensor's own data. They have no gradients: they are for serving.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { selectTop } from '../../select-top.ts';
import { elementCount } from '../../weights.ts';
import { type Tensor, type Tf, TfjsOps } from './tfjs-ops.ts';

export class WasmOps extends TfjsOps {
  readonly #backend: BackendWasm;

  constructor(tf: Tf) {
    super(tf);
    this.#backend = tf.backend() as BackendWasm;
  }

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

  /** The backend's own gather computes every element's place; rows are contiguous. */
  override gather(x: Tensor, indices: Tensor): Tensor {
    const rows = this.#view(indices);
    const values = this.#view(x) as Float32Array;
    const trailing = x.shape.slice(1);
    const length = elementCount(trailing);
    const gathered = new Float32Array(rows.length * length);
    for (const [place, row] of rows.entries()) {
      gathered.set(values.subarray(row * length, (row + 1) * length), place * length);
    }
    return this.tf.tensor(gathered, [rows.length, ...trailing]);
  }

  /** The backend's own topk makes an object of every element. */
  override topK(x: Tensor, count: number): { values: Tensor; indices: Tensor } {
    const [rows, columns] = x.shape as [number, number];
    const { values, indices } = selectTop(this.#view(x) as Float32Array, rows, columns, count);
    return {
      values: this.tf.tensor2d(values, [rows, count]),
      indices: this.tf.tensor2d(indices, [rows, count], 'int32'),
    };
  }

  /** The tensor's data where it lies, not a copy: valid until the next operation. */
  #view(x: Tensor): Float32Array | Int32Array {
    return this.#backend.typedArrayFromHeap(x) as Float32Array | Int32Array;
  }
}
