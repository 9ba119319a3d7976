/** One ONNX graph, loaded into ONNX Runtime. */
import type * as OnnxRuntime from 'onnxruntime-node';
import type { EngineCache } from '../engine.ts';
import { fingerprint, formatOnnxModel, type OnnxGraph } from './onnx-model.ts';

export type Ort = typeof OnnxRuntime;
export type OrtTensor = OnnxRuntime.Tensor;

type SessionOptions = OnnxRuntime.InferenceSession.SessionOptions;

/** What sessions are made with. */
export interface OnnxBackend {
  ort: Ort;
  provider: 'cpu' | 'cuda';
  cache: EngineCache | undefined;
}

export class OnnxSession {
  #session: OnnxRuntime.InferenceSession | undefined;

  private constructor(session: OnnxRuntime.InferenceSession) {
    this.#session = session;
  }

  /**
   * Loads a graph of a model; where there is a cache, as it was optimised at an earlier start.
   *
   * @param model the model's id: together with the graph's fingerprint it tells what is computed
   */
  static async load(backend: OnnxBackend, graph: OnnxGraph, model: string): Promise<OnnxSession> {
    const version = backend.ort.env.versions.node;
    const name = [model, graph.name, fingerprint(graph), backend.provider, `ort-${version}.onnx`];
    const cached = await backend.cache?.find(name.join('-'));
    try {
      if (cached) return new OnnxSession(await create(backend, cached));
    } catch {
      // Damaged: it is made again.
    }
    const bytes = formatOnnxModel(graph);
    const added = await backend.cache?.add(name.join('-'), async (path) => {
      // Without what depends on the processor (layouts), which takes no time: a cache may be shared.
      const portable = {
        graphOptimizationLevel: 'extended',
        optimizedModelFilePath: path,
      } as const;
      await (await create(backend, bytes, portable)).release();
    });
    return new OnnxSession(await create(backend, added ?? bytes));
  }

  /** Computes the outputs of the given names; the others are not copied. */
  async run<Name extends string>(
    inputs: Readonly<Record<string, OrtTensor>>,
    outputs: readonly Name[],
  ): Promise<Record<Name, OrtTensor>> {
    if (!this.#session) throw new Error('this model was disposed of');
    return (await this.#session.run(inputs, outputs)) as Record<Name, OrtTensor>;
  }

  /** Frees it at once: the promise that ONNX Runtime returns has nothing to wait for. */
  dispose(): void {
    void this.#session?.release();
    this.#session = undefined;
  }
}

function create(
  { ort, provider }: OnnxBackend,
  model: Uint8Array | string,
  options: SessionOptions = {},
): Promise<OnnxRuntime.InferenceSession> {
  const all: SessionOptions = {
    executionProviders: [provider],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    // Only errors; those are thrown, too.
    logSeverityLevel: 3,
    ...options,
  };
  return typeof model === 'string'
    ? ort.InferenceSession.create(model, all)
    : ort.InferenceSession.create(model, all);
}

/**
 * A tensor of float16, from its bits. Where JavaScript has a `Float16Array` (Node 24), `Tensor` would
 * hold them as such, and the native half of onnxruntime-node 1.30 takes that to be empty
 * (https://github.com/microsoft/onnxruntime/pull/32323).
 */
export function float16Tensor(
  { Tensor }: Ort,
  bits: Uint16Array,
  shape: readonly number[],
): OrtTensor {
  return Object.assign(new Tensor('uint16', bits, shape), { type: 'float16' as const });
}

/** The bits of a tensor of float16, whichever class holds them. */
export function float16Bits({ data }: OrtTensor): Uint16Array {
  const { buffer, byteOffset, length } = data as Uint16Array;
  return new Uint16Array(buffer, byteOffset, length);
}
