/**
 * A model's weights: what a family declares it needs (`ParameterSpecs`), tensors by name, and
 * a seeded start for models that are yet to be trained.
 */
import { createRandom } from './random.ts';
import type { Activation, TensorOps } from './tensor-ops.ts';

/** One trainable tensor as its family declares it. */
export interface ParameterSpec {
  shape: readonly number[];
  /** Initial values are uniform in [-limit, limit]; 0 for biases. */
  limit: number;
}

export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>;

/** Plain data: what safetensors files hold. */
export interface WeightArray {
  shape: readonly number[];
  data: Float32Array;
  /** Of whole numbers that are stored in a byte each; others are stored in the file's type. */
  codes?: 'int8';
}

export type WeightArrays = ReadonlyMap<string, WeightArray>;

/** In which type weights are stored; they compute in float32. */
export type WeightType = 'float32' | 'float16';

/** Tensors by name, in the form in which models receive them. */
export class Weights<T> {
  readonly #tensors: ReadonlyMap<string, T>;

  constructor(tensors: ReadonlyMap<string, T>) {
    this.#tensors = tensors;
  }

  /** @throws Error when there is none of that name: bundles are validated before this. */
  get(name: string): T {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new Error(`the model has no weight named '${name}'`);
    return tensor;
  }

  find(name: string): T | undefined {
    return this.#tensors.get(name);
  }
}

/** A dense layer's application by name: x · `name.kernel`, plus `name.bias` where there is one. */
export type DenseLayers<T> = (x: T, name: string, activation?: Activation) => T;

/** Kernels that have scales beside them are codes (int8.ts). */
export function denseLayers<T>(ops: TensorOps<T>, weights: Weights<T>): DenseLayers<T> {
  return (x, name, activation) => {
    const [kernel, bias] = [weights.get(`${name}.kernel`), weights.find(`${name}.bias`)];
    const scales = weights.find(`${name}.kernel.scales`);
    return scales
      ? ops.denseInt8(x, kernel, scales, bias, activation)
      : ops.dense(x, kernel, bias, activation);
  };
}

/** Declares `name.kernel [inputs,outputs]` (Glorot & Bengio 2010, eq. 16) and `name.bias`. */
export function denseSpecs(name: string, inputs: number, outputs: number): ParameterSpecs {
  return { ...kernelSpec(name, inputs, outputs), [`${name}.bias`]: biasSpec(outputs) };
}

/** The kernel alone, for layers that are summed with another one that has the bias. */
export function kernelSpec(name: string, inputs: number, outputs: number): ParameterSpecs {
  const limit = Math.sqrt(6 / (inputs + outputs));
  return { [`${name}.kernel`]: { shape: [inputs, outputs], limit } };
}

export function biasSpec(size: number): ParameterSpec {
  return { shape: [size], limit: 0 };
}

/** Initial weights; the same seed gives the same values on every machine. */
export function initialiseWeights(specs: ParameterSpecs, seed: number): Map<string, WeightArray> {
  const random = createRandom(seed);
  return new Map(
    Object.entries(specs).map(([name, { shape, limit }]) => {
      const data = Float32Array.from({ length: elementCount(shape) }, () =>
        limit === 0 ? 0 : limit * (2 * random() - 1),
      );
      return [name, { shape, data }];
    }),
  );
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
