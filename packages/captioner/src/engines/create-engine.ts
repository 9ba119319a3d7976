/** Chooses and starts the backend. Nothing is loaded before this is called. */
import type { Backend, Engine } from './engine.ts';
import { loadTensorflow } from './tfjs/load-tensorflow.ts';
import { loadWasm } from './tfjs/load-wasm.ts';

/** Best first: what `auto` tries. */
export const backends: readonly Backend[] = ['tensorflow', 'wasm'];

const loaders: Readonly<Record<Backend, () => Promise<Engine>>> = {
  tensorflow: loadTensorflow,
  wasm: loadWasm,
};

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
export async function createEngine(backend: Backend | 'auto' = 'auto'): Promise<ChosenEngine> {
  if (backend !== 'auto') {
    return { engine: await loaders[backend](), reason: 'it was asked for' };
  }
  const problems: string[] = [];
  for (const candidate of backends) {
    try {
      const engine = await loaders[candidate]();
      const reason =
        problems.length === 0 ? 'the best there is' : `the best that loads: ${problems.join('; ')}`;
      return { engine, reason };
    } catch (error) {
      problems.push(`${candidate}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(`no backend loads: ${problems.join('; ')}`);
}
