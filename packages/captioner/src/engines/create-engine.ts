/** Chooses and starts the backend. Nothing is loaded before this is called. */
import type { Backend, Engine, EngineOptions } from './engine.ts';
import { loadOnnx } from './onnx/load-onnx.ts';
import { loadTensorflow } from './tfjs/load-tensorflow.ts';
import { loadWasm } from './tfjs/load-wasm.ts';

type Loader = (options: EngineOptions) => Promise<Engine>;

const loaders: Readonly<Record<Backend, Loader>> = {
  onnx: loadOnnx,
  tensorflow: loadTensorflow,
  wasm: loadWasm,
};

export const backends = Object.keys(loaders) as readonly Backend[];

/** What `auto` tries, best first. On a CPU, TensorFlow is no match for ONNX Runtime. */
const preferred = [
  ['onnx', 'gpu'],
  ['tensorflow', 'gpu'],
  ['onnx', 'cpu'],
  ['wasm', 'cpu'],
] as const satisfies readonly (readonly [Backend, 'cpu' | 'gpu'])[];

export interface ChosenEngine {
  engine: Engine;
  /** One line for the log: what was chosen, and why not something better. */
  reason: string;
}

/**
 * Starts a backend, or the best that loads. A thread has one backend: TensorFlow.js keeps the one
 * in use in a global.
 *
 * @throws Error that says why, when the backend (with `auto`: every one) does not load.
 */
export async function createEngine(
  backend: Backend | 'auto' = 'auto',
  options: EngineOptions = {},
): Promise<ChosenEngine> {
  if (backend !== 'auto') {
    return { engine: await loaders[backend](options), reason: 'it was asked for' };
  }
  const problems: string[] = [];
  for (const [candidate, device] of preferred) {
    if (options.device && options.device !== device) continue;
    try {
      const engine = await loaders[candidate]({ ...options, device });
      const reason =
        problems.length === 0 ? 'the best there is' : `the best that loads: ${problems.join('; ')}`;
      return { engine, reason };
    } catch (error) {
      problems.push(
        `${candidate} on ${device.toUpperCase()}: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
  throw new Error(`no backend loads: ${problems.join('; ')}`);
}
