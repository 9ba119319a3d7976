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

/** `x [...,I]` · `kernel [I,O]` + bias, by the operator that has the bias where there is one. */
export function denseProduct(
  recorder: GraphRecorder,
  x: RecordedTensor,
  kernel: RecordedTensor,
  bias: RecordedTensor | undefined,
): GraphValue {
  const { graph } = recorder;
  const rank = x.shape.length;
  if (kernel.shape[1] === 1 && rank > 2) return columnProduct(recorder, x, kernel, bias);
  const operands = [recorder.asSeen(x), recorder.asSeen(kernel)] as const;
  if (!bias) return graph.node('MatMul', operands);
  if (rank === 2) return graph.node('Gemm', [...operands, recorder.asSeen(bias)]);
  return graph.node('Add', [graph.node('MatMul', operands), recorder.asSeen(bias)]);
}

/**
 * `x [1,...,I]` · (`codes [I,O]` × `scales [O]`) + bias, of x rounded to bytes: one operator, which
 * rounds x with one step for all of it, and on AVX2 takes little more than half of a MatMul's time.
 */
export function int8Product(
  recorder: GraphRecorder,
  x: RecordedTensor,
  codes: RecordedTensor,
  scales: RecordedTensor,
  bias: RecordedTensor | undefined,
): GraphValue {
  const { graph } = recorder;
  const zeroPoints = graph.absent; // codes are symmetrical
  const inputs = [x, codes, scales].map((operand) => recorder.asSeen(operand));
  if (bias) inputs.push(zeroPoints, recorder.asSeen(bias));
  return graph.runtimeNode('DynamicQuantizeMatMul', inputs as [GraphValue, ...GraphValue[]], {});
}

/**
 * `x [...,n,I]` · `kernel [I,1]` + bias, as kernelᵀ · xᵀ, for the same reasons: the kernel would be
 * padded to a panel of sixteen columns. The bias is added without the axis of one column, along
 * which ONNX Runtime adds one number at a time.
 */
function columnProduct(
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
