/**
 * What a stage of a model holds while it computes, apart from its weights: found by going through the
 * model itself, in shapes alone.
 */
import { beamStep } from '../beam-step.ts';
import { decoderHalf, encoderHalf } from '../cut.ts';
import type { Tensors } from '../decoders/decoder-family.ts';
import type { ModelDescription } from '../model-description.ts';
import { type ParameterSpecs, Weights } from '../weights.ts';
import { type Extent, ExtentOps } from './extent-ops.ts';

/** The most numbers that are held at once when so many images are encoded at a time. */
export function encodingNumbers(description: ModelDescription, images: number): number {
  const { height, width } = description.preprocessing;
  const { parameters, encode } = encoderHalf(description);
  const ops = new ExtentOps();
  const pixels = ops.given([images, height, width, 3]);
  return ops.numbersMax([pixels, encode(ops, weightsOf(ops, parameters), pixels)]);
}

/**
 * The same of decoding: at its start, and at the last step of captions of the greatest length, by
 * the model's own beam.
 */
export function decodingNumbers(description: ModelDescription, images: number): number {
  const { parameters, build } = decoderHalf(description);
  const { beamSize, lengthMax } = description.decoding;
  const V = description.vocabulary.size;

  const starting = new ExtentOps();
  const features = starting.given([images, ...description.features.shape]);
  const begun = build(starting, weightsOf(starting, parameters)).start(features);
  const { memory } = begun;
  let { state } = begun;
  let most = starting.numbersMax([features, ...all(memory), ...all(state)]);

  const hypotheses = images * beamSize;
  for (let step = 0; step < lengthMax; step++) {
    const ops = new ExtentOps();
    const given = (tensors: Tensors<Extent>) =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape }]) => [name, ops.given(shape)]),
      );
    const [held, before] = [given(memory), given(state)];
    const row = (...shape: number[]) => ops.given([hypotheses, ...shape]);
    const read = beamStep(
      ops,
      build(ops, weightsOf(ops, parameters)),
      held,
      before,
      {
        ...{ tokens: row(), positions: row(), parents: row(), parentOf: row(), childOf: row() },
        scores: row(1),
        excluded: ops.given([1, V]),
        penalties: ops.given([1, V]),
      },
      { width: beamSize, vocabulary: V, count: 2 * beamSize },
    );
    most = Math.max(most, ops.numbersMax([...all(held), ...all(before), ...all(read.state)]));
    state = read.state;
  }
  return most;
}

function weightsOf(ops: ExtentOps, parameters: ParameterSpecs): Weights<Extent> {
  return new Weights(
    new Map(Object.entries(parameters).map(([name, { shape }]) => [name, ops.weight(shape)])),
  );
}

const all = (tensors: Tensors<Extent>) => Object.values(tensors);
