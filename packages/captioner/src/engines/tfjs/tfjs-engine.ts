/** The engine that executes models eagerly with TensorFlow.js. */
import type { Backend, Engine } from '../engine.ts';
import { createDecoder } from './tfjs-decoder.ts';
import { createEncoder, createExactEncoder } from './tfjs-encoder.ts';
import type { Tf, TfjsOps } from './tfjs-ops.ts';

export interface TfjsBackend {
  tf: Tf;
  ops: TfjsOps;
  backend: Backend;
  description: string;
  device: Engine['device'];
  /** Images that each half computes at a time, unless told otherwise. */
  deviceBatch: { encode: number; decode: number };
}

export function createTfjsEngine({
  tf,
  ops,
  backend,
  description,
  device,
  deviceBatch,
}: TfjsBackend): Engine {
  const loaded: { dispose(): void }[] = [];
  const own = <Model extends { dispose(): void }>(model: Model): Model => {
    loaded.push(model);
    return model;
  };
  return {
    backend,
    description,
    device,
    loadEncoder: async (bundle) => own(createEncoder(tf, ops, bundle, deviceBatch.encode)),
    loadExactEncoder: async (bundle) => own(createExactEncoder(tf, ops, bundle)),
    loadDecoder: async (bundle) => own(createDecoder(tf, ops, bundle, deviceBatch.decode)),
    dispose() {
      for (const model of loaded.splice(0)) model.dispose();
    },
  };
}
