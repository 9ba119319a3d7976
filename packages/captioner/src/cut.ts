/**
 * Where a model is cut in two, so that encoder and decoder can run on different machines. The
 * bundle says which of two places it is:
 *
 *     pixels → CNN → feature map ┊ projection → features → LSTM     cut at the feature map
 *     pixels → CNN → feature map → projection ┊ features → LSTM     cut at the projection
 *
 * What crosses the cut are the features. A feature map is large; what the decoder needs of it is
 * a projection, with fewer channels and, of decoders that do not attend, of one location. So models
 * are cut there to be served, and at the feature map to be trained, since a projection is learnt
 * with its decoder. The weights of a half are in that half's file.
 */
import type { DecoderModel } from './decoders/decoder-family.ts';
import { normalise } from './encoders/normalise.ts';
import { int8Specs } from './int8.ts';
import {
  featureMapShape,
  findDecoderFamily,
  findEncoderFamily,
  type ModelDescription,
  projectedShape,
} from './model-description.ts';
import type { TensorOps } from './tensor-ops.ts';
import type { ParameterSpecs, Weights } from './weights.ts';

export interface EncoderHalf {
  parameters: ParameterSpecs;
  /** `pixels [B,H,W,3]` float32 in 0..255 → features `[B,L,D]`. */
  encode<T>(ops: TensorOps<T>, weights: Weights<T>, pixels: T): T;
}

export interface DecoderHalf {
  parameters: ParameterSpecs;
  /** A decoder that starts from features. */
  build<T>(ops: TensorOps<T>, weights: Weights<T>): DecoderModel<T>;
}

export function encoderHalf(description: ModelDescription): EncoderHalf {
  const { family, sizes } = findEncoderFamily(description);
  const { parameters, project } = projectionOf(description);
  const projects = description.features.cut === 'projection';
  const own = { ...family.parameters(sizes), ...(projects && parameters) };
  return {
    parameters: description.encoder.precision === 'int8' ? int8Specs(own) : own,
    encode(ops, weights, pixels) {
      const images = normalise(ops, pixels, description.preprocessing);
      const image = family.encode(ops, weights, sizes, images); // [B,H',W',D]
      const featureMap = ops.reshape(image, [-1, ...featureMapShape(description)]); // [B,L,D]
      return projects ? project(ops, weights, featureMap) : featureMap;
    },
  };
}

export function decoderHalf(description: ModelDescription): DecoderHalf {
  const { family, sizes } = findDecoderFamily(description);
  const { parameters, project } = projectionOf(description);
  const projects = description.features.cut === 'feature-map';
  const [locations, channels] = projectedShape(description);
  const context = { locations, channels, vocabulary: description.vocabulary.size };
  return {
    parameters: { ...(projects && parameters), ...family.parameters(sizes, context) },
    build(ops, weights) {
      const model = family.build(ops, weights, sizes, context);
      if (!projects) return model;
      return { ...model, start: (map) => model.start(project(ops, weights, map)) };
    },
  };
}

/** The layer between the two places. */
function projectionOf(description: ModelDescription) {
  const { family, sizes } = findDecoderFamily(description);
  const [, channels] = featureMapShape(description);
  return {
    parameters: family.projection.parameters(sizes, channels),
    project: <T>(ops: TensorOps<T>, weights: Weights<T>, featureMap: T) =>
      family.projection.project(ops, weights, sizes, featureMap),
  };
}
