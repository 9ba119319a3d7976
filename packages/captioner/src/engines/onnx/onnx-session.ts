/** One ONNX graph, loaded into ONNX Runtime. */
import type * as OnnxRuntime from 'onnxruntime-node';
import { formatOnnxModel, type OnnxGraph } from './onnx-model.ts';

export type Ort = typeof OnnxRuntime;
export type OrtTensor = OnnxRuntime.Tensor;

/** What sessions are made with. */
export interface OnnxBackend {
  ort: Ort;
  /** Cores that one operation may use. */
  threads: number;
}

export class OnnxSession {
  #session: OnnxRuntime.InferenceSession | undefined;

  private constructor(session: OnnxRuntime.InferenceSession) {
    this.#session = session;
  }

  static async load({ ort, threads }: OnnxBackend, graph: OnnxGraph): Promise<OnnxSession> {
    return new OnnxSession(
      await ort.InferenceSession.create(formatOnnxModel(graph), {
        executionProviders: ['cpu'],
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        // Threads that wait take no processor time from other sessions' and from other programs.
        extra: { 'session.intra_op.allow_spinning': '0' },
        // Only errors; those are thrown, too.
        logSeverityLevel: 3,
      }),
    );
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
