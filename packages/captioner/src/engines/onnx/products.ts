/** Products of matrices in the forms in which ONNX Runtime computes them best (record 11). */
import type { GraphBuilder, GraphValue } from './graph-builder.ts';
import type { GraphRecorder } from './graph-recorder.ts';
import type { RecordedTensor } from './recorded-tensor.ts';

/**
 * `a [...,M,N]` · `b [...,N,P]` for a small M, as M products bᵀ · (row of a)ᵀ. ONNX Runtime multiplies
 * matrices in panels, for which it would rearrange all of b; vectors it multiplies with b as it
 * lies. It takes the transposition into the product, and so cannot join the M products where B
 * is 1, which would make the last bits depend on B (record 11).
 */
export function productByRows(
  graph: GraphBuilder,
  a: GraphValue,
  b: GraphValue,
  rank: number,
): GraphValue {
  const [matrices, columns] = [graph.int64([rank - 2]), graph.int64([rank])];
  const rows = graph.node('Unsqueeze', [a, columns]); // [...,M,N,1]
  const shared = graph.node('Unsqueeze', [b, matrices]); // [...,1,N,P]
  const perm = [...Array(rank - 1).keys(), rank, rank - 1];
  const transposed = graph.node('Transpose', [shared], { perm });
  return graph.node('Squeeze', [
    graph.node('MatMul', [transposed, rows]), // [...,M,P,1]
    columns,
  ]);
}

/**
 * `x [...,n,I]` · `kernel [I,1]` + bias, as kernelᵀ · xᵀ, for the same reasons: the kernel would be
 * padded to a panel of sixteen columns. The bias is added without the axis of one column, along
 * which ONNX Runtime adds one number at a time.
 */
export function columnProduct(
  recorder: GraphRecorder,
  x: RecordedTensor,
  kernel: RecordedTensor,
  bias: RecordedTensor | undefined,
): GraphValue {
  const { graph } = recorder;
  const rank = x.shape.length;
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  const product = graph.node('MatMul', [
    recorder.asSeen(recorder.permuted(kernel, [1, 0])),
    graph.node('Transpose', [recorder.asSeen(x)], { perm }),
  ]); // [...,1,n]
  const sums = graph.node('Squeeze', [product, graph.int64([-2])]);
  const biased = bias ? graph.node('Add', [sums, recorder.asSeen(bias)]) : sums;
  return graph.node('Unsqueeze', [biased, graph.int64([-1])]);
}
