/**
 * A model's halves as ONNX graphs: the encoder as one, the decoder as two, which start a search and
 * carry it on by a word. Inputs and outputs are named after what the functions over `TensorOps`
 * call them. Of the dimensions, B (images), N (hypotheses), U (their parents) and R (hypotheses of
 * the last step) are known when a graph runs.
 */
import { beamStep } from '../../beam-step.ts';
import { decoderHalf, encoderHalf } from '../../cut.ts';
import type { DecoderModel, Tensors } from '../../decoders/decoder-family.ts';
import type { DecoderBundle, EncoderBundle } from '../../model-bundle.ts';
import { Weights, type WeightType } from '../../weights.ts';
import { GraphRecorder } from './graph-recorder.ts';
import type { OnnxGraph } from './onnx-model.ts';
import type { RecordedShape, RecordedTensor } from './recorded-tensor.ts';
import { RecordingOps } from './recording-ops.ts';

/** In which type features leave an encoder and reach a decoder; both compute in float32. */
export type FeatureType = 'float32' | 'float16';

/** In which types images enter and leave an encoder. */
export interface EncoderTypes {
  /** Bytes, or the same range with fractions. */
  pixels: 'uint8' | 'float32';
  features: FeatureType;
}

/** `pixels [B,H,W,3]`, 0..255 → `features [B,L,D]`. */
export function recordEncoder(
  { description, encoder }: Pick<EncoderBundle, 'description' | 'encoder'>,
  types: EncoderTypes,
  weightType?: WeightType,
): OnnxGraph {
  const recorder = new GraphRecorder(weightType);
  const ops = new RecordingOps(recorder);
  const { height, width } = description.preprocessing;
  const bytes = recorder.input('pixels', types.pixels, ['B', height, width, 3]);
  // While they are bytes they are cheapest to transpose.
  const pixels = recorder.cast(recorder.channelsFirst(bytes), 'float32');
  const weights = new Weights(recorder.weights(encoder));
  const features = encoderHalf(description).encode(ops, weights, pixels);
  recorder.output('features', recorder.cast(features, types.features), 'B');
  return recorder.finish('encoder');
}

export interface DecoderGraphs {
  /** `features [B,L,D]` → `memory.…`, `state.…` `[B,...]` */
  start: OnnxGraph;
  /**
   * `memory.… [B,...]`, the last step's `state.…`, the inputs of `beamStep`, and `width` and
   * `count` `[1]` int64 → `values`, `indices` `[B,count]`, the state as `next.… [N,...]` and, of
   * decoders that attend, `attention [N,L]`.
   */
  step: OnnxGraph;
  /** Without their prefixes. */
  memoryNames: string[];
  stateNames: string[];
}

type RecordedDecoder = Pick<DecoderBundle, 'description' | 'decoder'>;

export function recordDecoder(
  bundle: RecordedDecoder,
  featureType: FeatureType,
  weightType?: WeightType,
): DecoderGraphs {
  const { features, vocabulary } = bundle.description;
  const starting = bindDecoder(bundle, weightType);
  const given = starting.recorder.input('features', featureType, ['B', ...features.shape]);
  const begun = starting.model.start(starting.recorder.cast(given, 'float32'));
  outputAll(starting.recorder, 'memory', begun.memory, 'B');
  outputAll(starting.recorder, 'state', begun.state, 'B');

  const { recorder, ops, model } = bindDecoder(bundle, weightType);
  const { values, indices, state, attention } = beamStep(
    ops,
    model,
    inputAll(recorder, 'memory', begun.memory, 'B'),
    inputAll(recorder, 'state', begun.state, 'R'),
    {
      tokens: recorder.input('tokens', 'int32', ['N']),
      positions: recorder.input('positions', 'int32', ['N']),
      parents: recorder.input('parents', 'int32', ['U']),
      parentOf: recorder.input('parentOf', 'int32', ['N']),
      childOf: recorder.input('childOf', 'int32', ['U']),
      scores: recorder.input('scores', 'float32', ['N', 1]),
      excluded: recorder.rowInput('excluded', vocabulary.size),
      penalties: recorder.rowInput('penalties', vocabulary.size),
    },
    {
      width: recorder.sizeInput('width'),
      vocabulary: vocabulary.size,
      count: recorder.sizeInput('count'),
    },
  );
  recorder.output('values', values, 'B');
  recorder.output('indices', indices, 'B');
  outputAll(recorder, 'next', state, 'N');
  if (attention) recorder.output('attention', attention, 'N');

  return {
    start: starting.recorder.finish('decoder-start'),
    step: recorder.finish('decoder-step'),
    memoryNames: Object.keys(begun.memory),
    stateNames: Object.keys(begun.state),
  };
}

function bindDecoder(
  { description, decoder }: RecordedDecoder,
  weightType: WeightType | undefined,
): {
  recorder: GraphRecorder;
  ops: RecordingOps;
  model: DecoderModel<RecordedTensor>;
} {
  const recorder = new GraphRecorder(weightType);
  const ops = new RecordingOps(recorder);
  const weights = new Weights(recorder.weights(decoder));
  return { recorder, ops, model: decoderHalf(description).build(ops, weights) };
}

function outputAll(
  recorder: GraphRecorder,
  prefix: string,
  tensors: Tensors<RecordedTensor>,
  dimension: string,
): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    recorder.output(`${prefix}.${name}`, tensor, dimension);
  }
}

/** Inputs of the names and shapes that another graph's outputs have. */
function inputAll(
  recorder: GraphRecorder,
  prefix: string,
  tensors: Tensors<RecordedTensor>,
  dimension: string,
): Tensors<RecordedTensor> {
  const input = (name: string, [, ...row]: RecordedShape) => {
    const sizes = row.map((size, axis) => size ?? `${name}.${axis + 1}`);
    return recorder.input(name, 'float32', [dimension, ...sizes]);
  };
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape }]) => [name, input(`${prefix}.${name}`, shape)]),
  );
}
