/**
 * ONNX Runtime: for CPUs from the npm package alone, and for NVIDIA's GPUs where its CUDA libraries
 * are installed. On a CPU an engine keeps to its thread: several engines side by side, one a core,
 * get more out of the cores than one that divides every operation among them.
 */
import type { Engine, EngineOptions } from '../engine.ts';
import { findCuda } from './find-cuda.ts';
import { createDecoder } from './onnx-decoder.ts';
import { createEncoder, createExactEncoder } from './onnx-encoder.ts';
import type { OnnxBackend, Ort } from './onnx-session.ts';

/** @throws Error that says why there is no binary, or why it does not load, or finds no GPU. */
export async function loadOnnx(options: EngineOptions): Promise<Engine> {
  const ort = await importRuntime();
  // Errors are thrown; what it would print besides is about providers that are not installed.
  ort.env.logLevel = 'fatal';
  const device = await chooseDevice(ort, options.device);
  const provider = device === 'gpu' ? 'cuda' : 'cpu';
  const backend: OnnxBackend = { ort, provider, cache: options.cache };
  const loaded = new Set<{ dispose(): void }>();
  const own = <Model extends { dispose(): void }>(model: Model): Model => {
    loaded.add(model);
    return model;
  };
  const computes = device === 'gpu' ? 'CUDA' : 'CPU, 1 thread';
  return {
    backend: 'onnx',
    description: `ONNX Runtime ${ort.env.versions.node}, ${computes}`,
    device,
    loadEncoder: async (bundle) => own(await createEncoder(backend, bundle)),
    loadExactEncoder: async (bundle) => own(await createExactEncoder(backend, bundle)),
    loadDecoder: async (bundle) => own(await createDecoder(backend, bundle)),
    dispose() {
      for (const model of loaded) model.dispose();
      loaded.clear();
    },
  };
}

async function chooseDevice(ort: Ort, wanted: EngineOptions['device']): Promise<'cpu' | 'gpu'> {
  if (wanted === 'cpu') return 'cpu';
  try {
    await findCuda(ort);
    return 'gpu';
  } catch (error) {
    if (wanted === 'gpu') throw error;
    return 'cpu';
  }
}

async function importRuntime(): Promise<Ort> {
  // On Linux it would otherwise report how it is used, and leave files about that in the user's home.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1);
    throw new Error(
      `onnxruntime-node does not load on ${process.platform}/${process.arch}: ${reason}`,
      { cause },
    );
  }
}
