/**
 * The long short-term memory cell that all three decoders share (Hochreiter & Schmidhuber 1997,
 * with the forget gate of Gers et al. 2000):
 *
 *     i, f, g, o = split(inputs)
 *     c' = σ(f + 1) ⊙ c + σ(i) ⊙ tanh(g)
 *     h' = σ(o) ⊙ tanh(c')
 *
 * `inputs` is the sum of the caller's linear maps of whatever enters the cell. The 1 makes an
 * untrained cell remember (Jozefowicz et al. 2015). Vinyals et al. write h' = σ(o) ⊙ c' in their
 * eq. 8; their released code, like everyone's, has the tanh.
 */
import type { TensorOps } from '../tensor-ops.ts';

export interface LstmState<T> {
  /** h `[N,H]` */
  hidden: T;
  /** c `[N,H]` */
  cell: T;
}

/** `inputs [N,4H]`, in the order i, f, g, o; `cell [N,H]`. */
export function lstmCell<T>(ops: TensorOps<T>, inputs: T, cell: T): LstmState<T> {
  const [i, f, g, o] = ops.split(inputs, 4) as [T, T, T, T];
  const remember = ops.sigmoid(ops.add(f, ops.constant(Float32Array.of(1), [1])));
  const next = ops.add(ops.mul(remember, cell), ops.mul(ops.sigmoid(i), ops.tanh(g)));
  return { hidden: ops.mul(ops.sigmoid(o), ops.tanh(next)), cell: next };
}
