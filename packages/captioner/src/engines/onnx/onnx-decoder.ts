/** The decoder half of a model bundle, run by ONNX Runtime: a graph to start, and one for a step. */
import { traceLineage } from '../../lineage.ts';
import type { DecoderBundle } from '../../model-bundle.ts';
import { decoderTraits } from '../../model-description.ts';
import { elementCount } from '../../weights.ts';
import type { Decoder, DecoderSession, StepRequest, StepResult } from '../engine.ts';
import { checkLength, keepRows, rowsOf } from '../plain-arrays.ts';
import {
  float16Tensor,
  type OnnxBackend,
  OnnxSession,
  type Ort,
  type OrtTensor,
} from './onnx-session.ts';
import { recordDecoder } from './record-model.ts';

/**
 * Of features of 100 KB (in float32), one of 1, 8, 16, 32, 64 images takes 18, 5.6, 4.6, 4.2, 4.1 ms
 * of CPU. Larger ones are of larger models, which have enough to do with fewer.
 */
const deviceBatch = { max: 64, bytesMax: 64 * 1024 * 1024 };

export async function createDecoder(backend: OnnxBackend, bundle: DecoderBundle): Promise<Decoder> {
  const { id, description, vocabulary } = bundle;
  const { attends, tokensMax } = decoderTraits(description);
  const { start, step, memoryNames, stateNames } = recordDecoder(bundle, 'float16');
  const startSession = await OnnxSession.load(backend, start, id);
  const stepSession = await OnnxSession.load(backend, step, id);
  /** For features that are not rounded: loaded when there are some, which programs do not have. */
  const exactStart = recordDecoder(bundle, 'float32').start;
  let exactStartSession: OnnxSession | undefined;
  const memoryOutputs = memoryNames.map((name) => `memory.${name}`);
  const stateOutputs = stateNames.map((name) => `state.${name}`);

  const begin = async (features: Uint16Array | Float32Array, shape: readonly number[]) => {
    const outputs = [...memoryOutputs, ...stateOutputs];
    if (features instanceof Uint16Array) {
      return startSession.run({ features: float16Tensor(backend.ort, features, shape) }, outputs);
    }
    exactStartSession ??= await OnnxSession.load(backend, exactStart, id);
    const given = new backend.ort.Tensor('float32', features, shape);
    return exactStartSession.run({ features: given }, outputs);
  };

  const featureBytes = 4 * elementCount(description.features.shape);
  return {
    deviceBatch: Math.max(
      1,
      Math.min(deviceBatch.max, Math.floor(deviceBatch.bytesMax / featureBytes)),
    ),
    vocabulary,
    featuresShape: description.features.shape,
    attends,
    tokensMax,

    async start(features, count) {
      const shape = [count, ...description.features.shape];
      checkLength('features', features, shape);
      const begun = await begin(features, shape);
      const memory = Object.fromEntries(memoryOutputs.map((name) => [name, tensorOf(begun, name)]));
      const state = Object.fromEntries(stateOutputs.map((name) => [name, tensorOf(begun, name)]));
      return new OnnxDecoderSession(backend.ort, stepSession, memory, state);
    },

    dispose() {
      startSession.dispose();
      exactStartSession?.dispose();
      stepSession.dispose();
    },
  };
}

type OrtTensors = Readonly<Record<string, OrtTensor>>;

class OnnxDecoderSession implements DecoderSession {
  readonly #ort: Ort;
  readonly #session: OnnxSession;
  /** `memory.…` `[B,...]` */
  #memory: OrtTensors;
  /** `state.…` `[N,...]` */
  #state: OrtTensors;
  /** Words read so far, of each hypothesis. */
  #steps = 0;

  constructor(ort: Ort, session: OnnxSession, memory: OrtTensors, state: OrtTensors) {
    this.#ort = ort;
    this.#session = session;
    this.#memory = memory;
    this.#state = state;
  }

  async step(request: StepRequest): Promise<StepResult> {
    const { stay, width, count, tokens, scores, excluded, penalties } = request;
    if (stay) this.#keepImages(stay);
    const { Tensor } = this.#ort;
    const rows = tokens.length;
    const { parents, parentOf, childOf } = traceLineage(request.parents);
    const outputs = await this.#session.run(
      {
        ...this.#memory,
        ...this.#state,
        tokens: new Tensor('int32', tokens, [rows]),
        positions: new Tensor('int32', new Int32Array(rows).fill(this.#steps++), [rows]),
        parents: new Tensor('int32', parents, [parents.length]),
        parentOf: new Tensor('int32', parentOf, [rows]),
        childOf: new Tensor('int32', childOf, [parents.length]),
        scores: new Tensor('float32', scores, [rows, 1]),
        excluded: new Tensor('float32', excluded, [1, excluded.length]),
        penalties: new Tensor('float32', penalties, [1, penalties.length]),
        width: new Tensor('int64', BigInt64Array.of(BigInt(width)), [1]),
        count: new Tensor('int64', BigInt64Array.of(BigInt(count)), [1]),
      },
      [
        'values',
        'indices',
        ...Object.keys(this.#state).map(nextName),
        ...(request.attention ? ['attention'] : []),
      ],
    );
    this.#state = Object.fromEntries(
      Object.keys(this.#state).map((name) => [name, tensorOf(outputs, nextName(name))]),
    );
    return {
      values: tensorOf(outputs, 'values').data as Float32Array,
      indices: tensorOf(outputs, 'indices').data as Int32Array,
      ...(outputs.attention && {
        attention: rowsOf(outputs.attention.data as Float32Array, rows),
      }),
    };
  }

  dispose(): void {
    this.#memory = {};
    this.#state = {};
  }

  /** The session owns its memory: it can be compacted where it lies. */
  #keepImages(stay: Int32Array): void {
    const compact = ({ data, dims: [images, ...row] }: OrtTensor): OrtTensor => {
      const kept = keepRows(data as Float32Array, images as number, stay);
      return new this.#ort.Tensor('float32', kept, [stay.length, ...row]);
    };
    this.#memory = Object.fromEntries(
      Object.entries(this.#memory).map(([name, tensor]) => [name, compact(tensor)]),
    );
  }
}

/** The step's output that is the next step's input of the given name. */
function nextName(name: string): string {
  return name.replace('state.', 'next.');
}

function tensorOf(outputs: OrtTensors, name: string): OrtTensor {
  const tensor = outputs[name];
  if (!tensor) throw new Error(`expected an output named ${name}`);
  return tensor;
}
