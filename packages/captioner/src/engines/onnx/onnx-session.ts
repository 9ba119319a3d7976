/** One ONNX graph, loaded into ONNX Runtime. */
import type * as OnnxRuntime from 'onnxruntime-node';
import type { EngineCache } from '../engine.ts';
import { fingerprint, formatOnnxModel, initializerBytes, type OnnxGraph } from './onnx-model.ts';

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
    const parts = [model, graph.name, fingerprint(graph), backend.provider, `ort-${version}.onnx`];
    const name = parts.join('-');
    const options = { enableMemPattern: initializerBytes(graph) < plannedBytesMax };
    const cached = await backend.cache?.find(name);
    try {
      if (cached) return new OnnxSession(await create(backend, graphIn(cached), options));
    } catch {
      // Damaged: it is made again.
    }
    const added = await backend.cache?.add(name, async (folder) => {
      await (await create(backend, formatOnnxModel(graph), portableIn(folder))).release();
    });
    const source = added === undefined ? formatOnnxModel(graph) : graphIn(added);
    return new OnnxSession(await create(backend, source, options));
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

/**
 * Up to this size of a graph's weights, ONNX Runtime plans where tensors lie after the first run of
 * each shape: it saves the encoder of MobileNet v2 4% of its time. Plans take memory beside what that
 * run took: for 32 images of BLIP-base's encoder 0.6 GB more, and it takes no less time.
 */
const plannedBytesMax = 64 * 1024 * 1024;

const graphIn = (folder: string) => `${folder}/graph.onnx`;

/**
 * Has a session leave its graph in a folder, as it was optimised: without what depends on the
 * processor (layouts), which takes no time, since a cache may be shared. Weights have a file of their
 * own, from which they are loaded without a copy of the whole graph beside them: a session of
 * BLIP-base's encoder takes 0.34 GB in place of 0.59.
 */
function portableIn(folder: string): SessionOptions {
  return {
    graphOptimizationLevel: 'extended',
    optimizedModelFilePath: graphIn(folder),
    extra: { session: { optimized_model_external_initializers_file_name: 'weights' } },
  };
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
    // Errors are thrown, and of a damaged cache nobody has to know.
    logSeverityLevel: 4,
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
