/**
 * How much memory it takes to compute a stage of a model with ONNX Runtime on a CPU, told from its
 * shapes alone. Of a process with one inference thread, at its peak:
 *
 *     program + max(bundle + engine, engine + working)
 *
 *     program   Node.js and ONNX Runtime
 *     bundle    the weights as they are read, until the engine has its own: in float32
 *     engine    the constants of the recorded graphs: weights, and what is derived from them
 *     working   twice the most numbers that are alive at once (working-memory.ts), in float32: ONNX
 *               Runtime's arena grows by doubling, and what is freed leaves gaps in it
 *
 * Of each further thread, all but the program. Measured peaks lie within a fifth of it
 * (docs/MODELS.md). A model's first start on a machine, when its graphs are optimised, takes up to
 * the bundle and the engine once more; a GPU's own memory is not told.
 */
import { decoderHalf, encoderHalf } from '../../cut.ts';
import { decodingNumbers, encodingNumbers } from '../../extents/working-memory.ts';
import { deviceBatchMax } from '../../int8.ts';
import { bundleFiles, type ModelDescription } from '../../model-description.ts';
import {
  elementCount,
  type ParameterSpecs,
  type WeightArray,
  type WeightArrays,
} from '../../weights.ts';
import { initializerBytes } from './onnx-model.ts';
import { recordDecoder, recordEncoder } from './record-model.ts';

const programBytes = 150e6;
const numberBytes = 4;
const arenaGrowth = 2;

/** In bytes, when so many images are computed at a time: as many of them as the model allows. */
export function estimateMemory(
  description: ModelDescription,
  stage: 'encode' | 'decode',
  images: number,
): number {
  const { bundle, engine, numbers } =
    stage === 'encode' ? encoding(description, images) : decoding(description, images);
  return programBytes + engine + Math.max(bundle, arenaGrowth * numberBytes * numbers);
}

/** How many numbers a half has learned. */
export function countParameters(parameters: ParameterSpecs): number {
  return Object.values(parameters).reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

function encoding(description: ModelDescription, images: number) {
  const { parameters } = encoderHalf(description);
  const encoder = withoutValues(parameters);
  const graph = recordEncoder({ description, encoder }, { pixels: 'uint8', features: 'float16' });
  return {
    bundle: readBytes(parameters, description.files[bundleFiles.encoder].bytes),
    engine: initializerBytes(graph),
    numbers: encodingNumbers(description, Math.min(images, deviceBatchMax(description))),
  };
}

function decoding(description: ModelDescription, images: number) {
  const { parameters } = decoderHalf(description);
  const decoder = withoutValues(parameters);
  const { start, step } = recordDecoder({ description, decoder }, 'float16');
  return {
    bundle: readBytes(parameters, description.files[bundleFiles.decoder].bytes),
    engine: initializerBytes(start) + initializerBytes(step),
    numbers: decodingNumbers(description, images),
  };
}

/** Numbers that are stored in float32 are used where they were read; others are widened beside. */
function readBytes(parameters: ParameterSpecs, fileBytes: number): number {
  const widened = numberBytes * countParameters(parameters);
  return fileBytes >= widened ? fileBytes : fileBytes + widened;
}

/** Recording looks at shapes; values are asked for when a graph is written. */
function withoutValues(parameters: ParameterSpecs): WeightArrays {
  const weights = Object.entries(parameters).map(([name, { shape }]): [string, WeightArray] => {
    const isCodes = `${name}.scales` in parameters;
    return [name, { shape, data: new Float32Array(), ...(isCodes && { codes: 'int8' }) }];
  });
  return new Map(weights);
}
