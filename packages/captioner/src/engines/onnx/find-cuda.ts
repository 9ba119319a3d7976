/** Whether ONNX Runtime computes on a GPU here, found out by trying. */
import { GraphBuilder } from './graph-builder.ts';
import { formatOnnxModel } from './onnx-model.ts';
import type { Ort } from './onnx-session.ts';

/** @throws Error that says why it does not. */
export async function findCuda(ort: Ort): Promise<void> {
  const graph = new GraphBuilder();
  const x = graph.input('x', 'float32', [1]);
  graph.output('y', graph.node('Tanh', [x]), [1]);
  const model = formatOnnxModel(graph.finish('probe'));
  try {
    const session = await ort.InferenceSession.create(model, { executionProviders: ['cuda'] });
    await session.release();
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1);
    throw new Error(`it finds no CUDA (${reason})`, { cause });
  }
}
