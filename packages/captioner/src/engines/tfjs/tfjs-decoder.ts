/** The decoder half of a model bundle, run by TensorFlow.js. */
import type { TensorContainer } from '@tensorflow/tfjs-core';
import { beamStep, gatherRows } from '../../beam-step.ts';
import { decoderHalf } from '../../cut.ts';
import type { DecoderModel, Tensors } from '../../decoders/decoder-family.ts';
import { fromFloat16 } from '../../float16.ts';
import { traceLineage } from '../../lineage.ts';
import type { DecoderBundle } from '../../model-bundle.ts';
import { decoderTraits } from '../../model-description.ts';
import { Weights } from '../../weights.ts';
import type { Decoder, DecoderSession, StepRequest, StepResult } from '../engine.ts';
import { checkLength, rowsOf } from '../plain-arrays.ts';
import { download, downloadIntegers, uploadWeights } from './tensors.ts';
import type { Tensor, Tf, TfjsOps } from './tfjs-ops.ts';

export function createDecoder(
  tf: Tf,
  ops: TfjsOps,
  bundle: DecoderBundle,
  deviceBatch: number,
): Decoder {
  const { description, vocabulary } = bundle;
  const tensors = uploadWeights(tf, bundle.decoder);
  const half = decoderHalf(description);
  const [model, derived] = bind(tf, () => half.build(ops, new Weights(tensors)));

  return {
    deviceBatch,
    vocabulary,
    featuresShape: description.features.shape,
    ...decoderTraits(description),
    async start(features, count) {
      const shape = [count, ...description.features.shape];
      checkLength('features', features, shape);
      const values = features instanceof Uint16Array ? fromFloat16(features) : features;
      const begun = tf.tidy(() => model.start(ops.constant(values, shape)));
      return new TfjsDecoderSession(tf, ops, model, vocabulary.size, begun);
    },
    dispose: () => tf.dispose([...tensors.values(), ...derived]),
  };
}

/** Builds a model, and finds the tensors that it derived from its weights and will keep using. */
function bind<Model>(tf: Tf, build: () => Model): [Model, Tensor[]] {
  let model: Model | undefined;
  const derived = tf.tidy(() => {
    model = build();
    return [...tf.engine().state.activeScope.track];
  });
  return [model as Model, derived];
}

/** `tf.tidy` for results whose type is an interface; it keeps what it finds in them. */
function tidy<Result extends object>(tf: Tf, compute: () => Result): Result {
  return tf.tidy(() => compute() as TensorContainer) as Result;
}

class TfjsDecoderSession implements DecoderSession {
  readonly #tf: Tf;
  readonly #ops: TfjsOps;
  readonly #model: DecoderModel<Tensor>;
  /** V */
  readonly #vocabulary: number;
  #memory: Tensors<Tensor>;
  #state: Tensors<Tensor>;
  /** Words read so far, of each hypothesis. */
  #steps = 0;

  constructor(
    tf: Tf,
    ops: TfjsOps,
    model: DecoderModel<Tensor>,
    vocabulary: number,
    { memory, state }: { memory: Tensors<Tensor>; state: Tensors<Tensor> },
  ) {
    this.#tf = tf;
    this.#ops = ops;
    this.#model = model;
    this.#vocabulary = vocabulary;
    this.#memory = memory;
    this.#state = state;
  }

  async step(request: StepRequest): Promise<StepResult> {
    if (request.stay) this.#keepImages(request.stay);
    const tf = this.#tf;
    const { width, count, tokens } = request;
    const { parents, parentOf, childOf } = traceLineage(request.parents);
    const { values, indices, state, attention } = tidy(tf, () => {
      const outputs = beamStep(
        this.#ops,
        this.#model,
        this.#memory,
        this.#state,
        {
          tokens: tf.tensor1d(tokens, 'int32'),
          positions: tf.fill([tokens.length], this.#steps, 'int32'),
          parents: tf.tensor1d(parents, 'int32'),
          parentOf: tf.tensor1d(parentOf, 'int32'),
          childOf: tf.tensor1d(childOf, 'int32'),
          scores: this.#ops.constant(request.scores, [tokens.length, 1]),
          excluded: this.#ops.constant(request.excluded, [1, this.#vocabulary]),
          penalties: this.#ops.constant(request.penalties, [1, this.#vocabulary]),
        },
        { width, vocabulary: this.#vocabulary, count },
      );
      if (!request.attention) delete outputs.attention;
      return outputs;
    });
    tf.dispose(this.#state);
    this.#state = state;
    this.#steps += 1;
    return {
      values: await download(values),
      indices: await downloadIntegers(indices),
      ...(attention && { attention: rowsOf(await download(attention), tokens.length) }),
    };
  }

  dispose(): void {
    this.#tf.dispose([this.#memory, this.#state]);
  }

  #keepImages(stay: Int32Array): void {
    const all = this.#memory;
    this.#memory = this.#tf.tidy(() =>
      gatherRows(this.#ops, all, this.#tf.tensor1d(stay, 'int32')),
    );
    this.#tf.dispose(all);
  }
}
