/** What a model's tensor is while the model is being recorded. */
import type { GraphValue } from './graph-builder.ts';

/** Of a dimension that is known when the graph runs. */
export const unknownSize = undefined;

export type RecordedShape = readonly (number | typeof unknownSize)[];

export type RecordedTensor = ConstantTensor | ComputedTensor;

/**
 * Values known when recording: a weight, or what a model derives from weights. It enters the graph
 * when an operation needs it, in the order of axes in which that operation needs it.
 */
export interface ConstantTensor {
  kind: 'constant';
  name: string;
  shape: readonly number[];
  /** Called when the graph is written, if it is: loading what is cached needs no values. */
  values: () => Float32Array;
  /** Whether it is a weight, whose values follow from its name and the model. */
  isWeight: boolean;
  /** Whole numbers, which the graph holds as such. */
  codes?: 'int8' | undefined;
}

export interface ComputedTensor {
  kind: 'computed';
  value: GraphValue;
  /** As models see it: images are `[B,H,W,C]`. */
  shape: RecordedShape;
  /**
   * In which order the graph holds it: ONNX convolves `[B,C,H,W]`. Values stay in that order from
   * one convolution to the next, and are transposed where an operation needs the other.
   */
  order: 'as seen' | 'channels first';
}

/** A result in the order of axes in which models see it. */
export function computed(value: GraphValue, shape: RecordedShape): ComputedTensor {
  return { kind: 'computed', value, shape, order: 'as seen' };
}

/** Axis i of the result is axis `permutation[i]` of `x`. */
export function permute(x: ConstantTensor, permutation: readonly number[]): ConstantTensor {
  return {
    ...x,
    name: `${x.name}.${permutation.join('')}`,
    shape: permutation.map((axis) => x.shape[axis] as number),
    values: () => permuteValues(x.values(), x.shape, permutation),
  };
}

function permuteValues(
  data: Float32Array,
  shape: readonly number[],
  permutation: readonly number[],
): Float32Array {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const permuted = permutation.map((axis) => shape[axis] as number);
  const steps = permutation.map((axis) => strides[axis] as number);
  const at = permuted.map(() => 0);
  const values = new Float32Array(data.length);
  let from = 0;
  for (let to = 0; to < values.length; to++) {
    values[to] = data[from] as number;
    for (let axis = at.length - 1; axis >= 0; axis--) {
      const [size, step] = [permuted[axis] as number, steps[axis] as number];
      const next = (at[axis] as number) + 1;
      from += next < size ? step : step - size * step;
      at[axis] = next < size ? next : 0;
      if (next < size) break;
    }
  }
  return values;
}

/** The shape of an elementwise result: axes are aligned from the right. */
export function broadcast(a: RecordedShape, b: RecordedShape): RecordedShape {
  const rank = Math.max(a.length, b.length);
  const sizeOf = (shape: RecordedShape, axis: number) =>
    axis < rank - shape.length ? 1 : shape[axis - (rank - shape.length)];
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = [sizeOf(a, axis), sizeOf(b, axis)];
    // Where one is unknown, a known size above 1 decides.
    return (
      sizes.find((size) => size !== unknownSize && size > 1) ??
      (sizes.every((size) => size === 1) ? 1 : unknownSize)
    );
  });
}
