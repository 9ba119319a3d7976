/** ONNX Runtime: for CPUs, with threads of its own. Its binaries come in the npm package. */
import { availableParallelism } from 'node:os';
import type { Engine, EngineOptions } from '../engine.ts';
import { createDecoder } from './onnx-decoder.ts';
import { createEncoder } from './onnx-encoder.ts';
import type { OnnxBackend, Ort } from './onnx-session.ts';

/** @throws Error that says why there is no binary, or why it does not load. */
export async function loadOnnx({
  threads = availableParallelism(),
}: EngineOptions): Promise<Engine> {
  const ort = await importRuntime();
  const backend: OnnxBackend = { ort, threads };
  const loaded = new Set<{ dispose(): void }>();
  const own = <Model extends { dispose(): void }>(model: Model): Model => {
    loaded.add(model);
    return model;
  };
  return {
    backend: 'onnx',
    description: `ONNX Runtime ${ort.env.versions.node}, CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    device: 'cpu',
    loadEncoder: async (bundle) => own(await createEncoder(backend, bundle)),
    loadDecoder: async (bundle) => own(await createDecoder(backend, bundle)),
    dispose() {
      for (const model of loaded) model.dispose();
      loaded.clear();
    },
  };
}

async function importRuntime(): Promise<Ort> {
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
