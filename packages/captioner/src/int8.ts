/**
 * Encoders whose dense layers multiply 8-bit integers, which CPUs do up to twice as fast as floats.
 *
 * A kernel `name.kernel [I,O]` becomes whole numbers, and `name.kernel.scales [O]`: what a 1 stands
 * for in each column. They go from -63 to 63 and not to 127: processors without dot products of
 * bytes (AVX2) add pairs of products of a byte and a signed byte in 16 bits, 2·255·63 of which fit
 * and 2·255·127 do not, so that the same sums come out everywhere.
 *
 * What a layer is given is rounded when it is there (`TensorOps.denseInt8`), with one step for the
 * whole image: images are therefore computed one by one, and do not depend on one another.
 */
import type { ModelDescription } from './model-description.ts';
import type { ParameterSpecs, WeightArray, WeightArrays } from './weights.ts';

const codeMax = 63;

/** The declarations, with scales beside each kernel of a dense layer. */
export function int8Specs(specs: ParameterSpecs): ParameterSpecs {
  const scales = Object.entries(specs).flatMap(([name, { shape }]) =>
    isDense(name, shape) ? [[scalesOf(name), { shape: [shape[1] as number], limit: 1 }]] : [],
  );
  return { ...specs, ...Object.fromEntries(scales) };
}

/** The weights, with codes and scales for each kernel of a dense layer: to the nearest. */
export function toInt8(weights: WeightArrays): WeightArrays {
  const converted = new Map<string, WeightArray>();
  for (const [name, weight] of weights) {
    if (!isDense(name, weight.shape)) {
      converted.set(name, weight);
      continue;
    }
    const { codes, scales } = quantise(weight);
    converted.set(name, codes).set(scalesOf(name), scales);
  }
  return converted;
}

/** How many images an encoder may compute at a time. */
export function deviceBatchMax({ encoder }: Pick<ModelDescription, 'encoder'>): number {
  return encoder.precision === 'int8' ? 1 : Number.POSITIVE_INFINITY;
}

function isDense(name: string, shape: readonly number[]): boolean {
  return name.endsWith('.kernel') && shape.length === 2;
}

const scalesOf = (kernel: string) => `${kernel}.scales`;

/** `[I,O]` → codes `[I,O]`, and scales `[O]`: of a column of zeros 1. */
function quantise({ shape, data }: WeightArray): { codes: WeightArray; scales: WeightArray } {
  const [inputs, outputs] = shape as [number, number];
  const scales = new Float32Array(outputs);
  for (let at = 0; at < data.length; at++) {
    const column = at % outputs;
    scales[column] = Math.max(scales[column] as number, Math.abs(data[at] as number));
  }
  for (let column = 0; column < outputs; column++) {
    scales[column] = (scales[column] as number) / codeMax || 1;
  }
  const codes = new Float32Array(inputs * outputs);
  for (let at = 0; at < data.length; at++) {
    const code = Math.round((data[at] as number) / (scales[at % outputs] as number));
    codes[at] = code + 0; // no -0: bytes have none
  }
  return {
    codes: { shape, data: codes, codes: 'int8' },
    scales: { shape: [outputs], data: scales },
  };
}
