/** Activations as operators of ONNX, and of ONNX Runtime where ONNX has none. */
import type { Activation } from '../../tensor-ops.ts';
import type { GraphBuilder, GraphValue } from './graph-builder.ts';

export function activate(
  graph: GraphBuilder,
  x: GraphValue,
  activation: Activation | undefined,
): GraphValue {
  switch (activation) {
    case undefined:
      return x;
    case 'relu':
      return graph.node('Relu', [x]);
    case 'relu6': {
      const [from, to] = [0, 6].map((limit) => graph.scalar(limit)) as [GraphValue, GraphValue];
      return graph.node('Clip', [x, from, to]);
    }
    case 'tanh':
      return graph.node('Tanh', [x]);
    case 'sigmoid':
      return graph.node('Sigmoid', [x]);
    case 'gelu':
      return graph.node('Gelu', [x]);
    case 'gelu-tanh':
      return graph.node('Gelu', [x], { approximate: { text: 'tanh' } });
    case 'gelu-sigmoid':
      return graph.runtimeNode('QuickGelu', [x], { alpha: { float: 1.702 } });
  }
}
