/** Plain arrays to tensors and back. */
import type { WeightArrays } from '../../weights.ts';
import type { Tensor, Tf } from './tfjs-ops.ts';

export function uploadWeights(tf: Tf, weights: WeightArrays): Map<string, Tensor> {
  return new Map(
    [...weights].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape], 'float32')]),
  );
}

/** The tensor's data; the tensor is freed. */
export async function download(tensor: Tensor): Promise<Float32Array> {
  try {
    return (await tensor.data()) as Float32Array;
  } finally {
    tensor.dispose();
  }
}

/** As `download`, of int32. */
export async function downloadIntegers(tensor: Tensor): Promise<Int32Array> {
  try {
    return (await tensor.data()) as Int32Array;
  } finally {
    tensor.dispose();
  }
}
