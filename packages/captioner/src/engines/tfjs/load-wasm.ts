/** TensorFlow.js's WebAssembly backend: from npm alone, everywhere, one thread. */
import type { Engine, EngineOptions } from '../engine.ts';
import { createTfjsEngine } from './tfjs-engine.ts';
import { refuseWhatDoesNotFit } from './wasm-memory.ts';
import { WasmOps } from './wasm-ops.ts';

/** @throws Error where WebAssembly does not start, or a GPU is asked for. */
export async function loadWasm({ device }: EngineOptions): Promise<Engine> {
  if (device === 'gpu') throw new Error('WebAssembly computes on CPUs');
  const listeners = processListeners();
  const tf = await import('@tensorflow/tfjs-core');
  const { version_wasm } = await import('@tensorflow/tfjs-backend-wasm');
  if (!(await tf.setBackend('wasm'))) throw new Error('the WebAssembly backend did not start');
  await tf.ready();
  listeners.restore();
  refuseWhatDoesNotFit(tf);
  tf.enableProdMode();
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const description = `TensorFlow.js ${version_wasm}, WebAssembly${simd ? ' with SIMD' : ''}, 1 thread`;
  return createTfjsEngine({
    tf,
    ops: new WasmOps(tf),
    backend: 'wasm',
    description,
    device: 'cpu',
    // One of 1, 8, 16, 32 images takes 30, 25, 24, 25 ms to encode, and 60, 37, 31, 32 ms to decode.
    // WebAssembly's memory never shrinks.
    deviceBatch: { encode: 8, decode: 16 },
  });
}

/**
 * Emscripten's start-up code installs process-wide handlers that turn any unhandled rejection into
 * an abort of the WebAssembly module. How a process fails is for the process to decide.
 */
function processListeners() {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.listeners(event as 'unhandledRejection'));
  return {
    restore() {
      for (const [index, event] of events.entries()) {
        for (const listener of process.listeners(event as 'unhandledRejection')) {
          if (!before[index]?.includes(listener)) process.removeListener(event, listener);
        }
      }
    },
  };
}
