/**
 * What transformers are made of (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762): layer
 * norms and position-wise feed-forward layers, by the names of their weights.
 */
import type { Gelu, TensorOps } from './tensor-ops.ts';
import { denseLayers, denseSpecs, type ParameterSpecs, type Weights } from './weights.ts';

/** A layer norm's application by name. */
export type LayerNorms<T> = (x: T, name: string) => T;

export function layerNorms<T>(
  ops: TensorOps<T>,
  weights: Weights<T>,
  epsilon: number,
): LayerNorms<T> {
  return (x, name) =>
    ops.layerNorm(x, weights.get(`${name}.scale`), weights.get(`${name}.shift`), epsilon);
}

/** Declares `name.scale` and `name.shift`, `[size]` each. */
export function normSpecs(name: string, size: number): ParameterSpecs {
  return {
    [`${name}.scale`]: { shape: [size], limit: 1 },
    [`${name}.shift`]: { shape: [size], limit: 0 },
  };
}

/** `x [...,C]` → W₂·gelu(W₁·x + b₁) + b₂ `[...,C]`: `name.inner` and `name.outer`. */
export function feedForward<T>(
  ops: TensorOps<T>,
  weights: Weights<T>,
  gelu: Gelu,
): (x: T, name: string) => T {
  const dense = denseLayers(ops, weights);
  return (x, name) => dense(dense(x, `${name}.inner`, gelu), `${name}.outer`);
}

/** @param inner channels between the two layers */
export function feedForwardSpecs(name: string, size: number, inner: number): ParameterSpecs {
  return {
    ...denseSpecs(`${name}.inner`, size, inner),
    ...denseSpecs(`${name}.outer`, inner, size),
  };
}

/** Declares the four projections of an attention: what is attended to may have other channels. */
export function attentionSpecs(name: string, size: number, attended = size): ParameterSpecs {
  return {
    ...denseSpecs(`${name}.query`, size, size),
    ...denseSpecs(`${name}.key`, attended, size),
    ...denseSpecs(`${name}.value`, attended, size),
    ...denseSpecs(`${name}.output`, size, size),
  };
}
