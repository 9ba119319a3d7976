/**
 * A model's halves as ONNX graphs: the encoder as one, the decoder as two, which start a search and
 * carry it on by a word. Inputs and outputs are named after what the functions over `TensorOps`
 * call them; of the dimensions, B (images) and N (hypotheses) are known when a graph runs.
 */
import { beamStep } from '../../beam-step.ts';
import type { DecoderModel, Tensors } from '../../decoders/decoder-family.ts';
import { normalise } from '../../encoders/normalise.ts';
import { type DecoderBundle, decoderContext, type EncoderBundle } from '../../model-bundle.ts';
import { findDecoderFamily, findEncoderFamily } from '../../model-description.ts';
import { Weights } from '../../weights.ts';
import type { OnnxGraph } from './onnx-model.ts';
import { type RecordedTensor, unknownSize } from './recorded-tensor.ts';
import { RecordingOps } from './recording-ops.ts';

/** What pixels an encoder's graph takes: bytes, or the same range with fractions. */
export type PixelType = 'uint8' | 'float32';

/** `pixels [B,H,W,3]`, 0..255 → `features [B,L,D]`. */
export function recordEncoder({ description, encoder }: EncoderBundle, type: PixelType): OnnxGraph {
  const { preprocessing, features } = description;
  const { family, sizes } = findEncoderFamily(description);
  const ops = new RecordingOps();
  const { height, width } = preprocessing;
  const pixels = ops.input('pixels', type, ['B', height, width, 3]);
  // While they are bytes they are cheapest to transpose.
  const images = normalise(ops, ops.cast(ops.channelsFirst(pixels), 'float32'), preprocessing);
  const featureMap = family.encode(ops, new Weights(ops.weights(encoder)), sizes, images);
  ops.output('features', ops.reshape(featureMap, [-1, ...features.shape]), 'B');
  return ops.finish('encoder');
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

export function recordDecoder(bundle: DecoderBundle): DecoderGraphs {
  const { features, vocabulary } = bundle.description;
  const starting = bindDecoder(bundle);
  const begun = starting.model.start(
    starting.ops.input('features', 'float32', ['B', ...features.shape]),
  );
  outputAll(starting.ops, 'memory', begun.memory, 'B');
  outputAll(starting.ops, 'state', begun.state, 'B');

  const { ops, model } = bindDecoder(bundle);
  const { values, indices, state, attention } = beamStep(
    ops,
    model,
    inputAll(ops, 'memory', begun.memory, 'B'),
    inputAll(ops, 'state', begun.state, 'R'),
    {
      tokens: ops.input('tokens', 'int32', ['N']),
      parents: ops.input('parents', 'int32', ['N']),
      scores: ops.input('scores', 'float32', ['N', 1]),
      excluded: ops.rowInput('excluded', vocabulary.size),
      penalties: ops.rowInput('penalties', vocabulary.size),
    },
    {
      width: ops.sizeInput('width'),
      vocabulary: vocabulary.size,
      count: ops.sizeInput('count'),
    },
  );
  ops.output('values', values, 'B');
  ops.output('indices', indices, 'B');
  outputAll(ops, 'next', state, 'N');
  if (attention) ops.output('attention', attention, 'N');

  return {
    start: starting.ops.finish('decoder-start'),
    step: ops.finish('decoder-step'),
    memoryNames: Object.keys(begun.memory),
    stateNames: Object.keys(begun.state),
  };
}

function bindDecoder({ description, decoder }: DecoderBundle): {
  ops: RecordingOps;
  model: DecoderModel<RecordedTensor>;
} {
  const { family, sizes } = findDecoderFamily(description);
  const ops = new RecordingOps();
  const weights = new Weights(ops.weights(decoder));
  return { ops, model: family.build(ops, weights, sizes, decoderContext(description)) };
}

function outputAll(
  ops: RecordingOps,
  prefix: string,
  tensors: Tensors<RecordedTensor>,
  dimension: string,
): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    ops.output(`${prefix}.${name}`, tensor, dimension);
  }
}

/** Inputs of the names and shapes that another graph's outputs have. */
function inputAll(
  ops: RecordingOps,
  prefix: string,
  tensors: Tensors<RecordedTensor>,
  dimension: string,
): Tensors<RecordedTensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(
      ([
        name,
        {
          shape: [, ...row],
        },
      ]) => {
        if (row.includes(unknownSize)) throw new Error(`${prefix}.${name}: rows differ in shape`);
        return [name, ops.input(`${prefix}.${name}`, 'float32', [dimension, ...(row as number[])])];
      },
    ),
  );
}
