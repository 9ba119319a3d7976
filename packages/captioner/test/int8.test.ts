import {
  createEngine,
  type EncoderBundle,
  encodeImages,
  encoderFamilies,
  encoderHalf,
  formatSafetensors,
  initialiseWeights,
  parseSafetensors,
  toInt8,
} from '@cutline/captioner';
import { describe, expect, it, test } from 'vitest';
import { randomBytes, tinyBundle } from './support/tiny-model.ts';

/** Encoders whose dense layers multiply bytes. */

const sizes = {
  patch: 4,
  grid: [2, 3],
  width: 16,
  layers: 3,
  heads: 2,
  inner: 48,
  gelu: 'gelu',
  normBefore: false,
  epsilon: 1e-6,
};
const images = 5;
const pixels = randomBytes(images * 8 * 12 * 3, 7);

/** A small vision transformer, with weights as large as trained ones. */
function tinyVit(precision?: 'int8'): EncoderBundle {
  const { id, description } = tinyBundle('show-and-tell', ['a']);
  const vit = encoderFamilies.get('vit')!;
  const weights = initialiseWeights(vit.parameters(sizes), 3);
  return {
    id,
    description: {
      ...description,
      encoder: { family: 'vit', sizes, ...(precision && { precision }) },
      preprocessing: { ...description.preprocessing, width: 12, height: 8 },
      features: { cut: 'feature-map', shape: [7, 16], dtype: 'float16' },
    },
    encoder: precision ? toInt8(weights) : weights,
  };
}

test('a kernel is rounded to 127 steps, each column by itself', () => {
  const kernel = { shape: [2, 3], data: Float32Array.of(0.5, -126, 0, 0.26, 3, 0) };
  const weights = toInt8(new Map([['a.kernel', kernel]]));
  expect(weights.get('a.kernel')).toEqual({
    shape: [2, 3],
    data: Float32Array.of(63, -63, 0, 33, 2, 0), // 0.26 / (0.5/63) = 32.76; 3 / 2 = 1.5
    codes: 'int8',
  });
  expect(weights.get('a.kernel.scales')?.data).toEqual(Float32Array.of(0.5 / 63, 2, 1));
});

test('convolutions, norms and biases stay as they are', () => {
  const { encoder } = tinyVit();
  const converted = toInt8(encoder);
  for (const [name, { codes, shape }] of converted) {
    expect([name, codes]).toEqual([name, /^layer.*kernel$/.test(name) ? 'int8' : undefined]);
    if (!codes && !name.endsWith('.scales')) expect(shape).toEqual(encoder.get(name)?.shape);
  }
  const { parameters } = encoderHalf(tinyVit('int8').description);
  expect([...converted.keys()].sort()).toEqual(Object.keys(parameters).sort());
});

test('a file holds codes in a byte each, and gives them back', () => {
  const { encoder } = tinyVit('int8');
  const bytes = formatSafetensors(encoder, 'float16');
  const read = parseSafetensors(bytes, 'encoder.safetensors');
  for (const [name, weight] of encoder) {
    if (weight.codes) expect(read.get(name)).toEqual(weight);
  }
  expect(bytes.length).toBeLessThan(formatSafetensors(tinyVit().encoder).length / 2);
});

describe.each(['onnx', 'wasm'] as const)('%s', (backend) => {
  it('encodes nearly as in float32, and each image by itself', async () => {
    const { engine } = await createEngine(backend, { device: 'cpu' });
    const encoder = await engine.loadEncoder(tinyVit('int8'));
    const imageLength = 8 * 12 * 3;
    const alone: number[] = [];
    for (let image = 0; image < images; image++) {
      const one = pixels.subarray(image * imageLength, (image + 1) * imageLength);
      alone.push(...(await encodeImages(encoder, one, 1)));
    }
    expect([...(await encodeImages(encoder, pixels, images, 32))]).toEqual(alone);

    const floats = Float32Array.from(pixels.subarray(0, imageLength));
    const [found, wanted] = [
      await (await engine.loadExactEncoder(tinyVit('int8'))).encode(floats, 1),
      await (await engine.loadExactEncoder(tinyVit())).encode(floats, 1),
    ];
    const difference = relativeDifference(found, wanted);
    expect(difference).toBeLessThan(0.03);
    expect(difference).toBeGreaterThan(1e-4); // it is another computation
    engine.dispose();
  });
});

test('both backends round alike', async () => {
  const found = [];
  for (const backend of ['onnx', 'wasm'] as const) {
    const { engine } = await createEngine(backend, { device: 'cpu' });
    const encoder = await engine.loadExactEncoder(tinyVit('int8'));
    found.push(await encoder.encode(Float32Array.from(pixels.subarray(0, 288)), 1));
    engine.dispose();
  }
  expect(relativeDifference(found[0]!, found[1]!)).toBeLessThan(1e-3);
});

/** √(Σ(a−b)² / Σb²) */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  const squares = (of: (index: number) => number) =>
    b.reduce((sum, _, index) => sum + of(index) ** 2, 0);
  const distance = squares((index) => (a[index] as number) - (b[index] as number));
  return Math.sqrt(distance / squares((index) => b[index] as number));
}
