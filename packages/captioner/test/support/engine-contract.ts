/**
 * What every engine has to do. One file a backend calls this, because a thread has one backend; a
 * backend that does not load shows as a skipped test that says why and how to install it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import {
  type Backend,
  createCaptioner,
  createEngine,
  type Engine,
  featureMapShape,
  findDecoderFamily,
  fromFloat16,
  type ModelBundle,
  parseModelBundle,
  parseSafetensors,
  searchCaptions,
  toFloat16,
  type WeightArray,
} from '@cutline/captioner';
import { afterAll, describe, expect, it } from 'vitest';
import { describePublished } from './published-contract.ts';
import { referenceDecoders } from './reference-decoders.ts';
import { referenceMobileNetV2 } from './reference-mobilenet.ts';
import { searchExhaustively } from './reference-search.ts';
import { encoderSizes, familyNames, randomBytes, randomFloats, tinyBundle } from './tiny-model.ts';

const words = ['a', 'dog', 'runs', 'in', 'water', 'snow', 'on', 'the', 'beach', 'two'];

/** @param countTensors Tensors that the backend holds, where it can say so. */
export async function describeEngine(backend: Backend, countTensors?: () => number): Promise<void> {
  let engine: Engine;
  try {
    engine = (await createEngine(backend)).engine;
  } catch (error) {
    it.skip(`NOT TESTED: ${(error as Error).message}`, () => {});
    return;
  }
  afterAll(() => engine.dispose());
  describe.each(goldenPatterns)('the shipped bundle and $file', (pattern) =>
    describeGoldenValues(engine, pattern),
  );
  describe('the encoder', () => describeEncoder(engine));
  describe.each(familyNames)('the decoder %s', (family) => describeDecoder(engine, family));
  describe('the cut', () => describeCut(engine));
  describe('ties', () => describeTies(engine));
  describe('published captioners', () =>
    describePublished(engine, backend === 'onnx' ? 2e-4 : 1e-3));
  if (countTensors) describe('memory', () => describeMemory(engine, countTensors));
}

/**
 * Of the bundle's own weights, and of those before they were rounded to float16, which shows that
 * rounding is all that was done to them. fixtures/README.md says where both come from.
 */
const goldenPatterns = [
  { file: 'golden-pattern-rounded', within: { features: 1e-3, logProbs: 1e-3, attention: 1e-3 } },
  { file: 'golden-pattern', within: { features: 0.05, logProbs: 2e-3, attention: 1e-3 } },
];

function describeGoldenValues(
  engine: Engine,
  { file, within }: (typeof goldenPatterns)[number],
): void {
  const name = `${file}.safetensors`;
  const golden = parseSafetensors(
    readFileSync(new URL(`../fixtures/${name}`, import.meta.url)),
    name,
  );
  const valuesOf = (name: string) => golden.get(name)?.data as Float32Array;
  const features = valuesOf('features');

  const bundle = cutAtFeatureMap(readShippedBundle());

  it(`features are reproduced to ${within.features}`, async () => {
    const encoder = await engine.loadExactEncoder(bundle);
    // As the fixture was made: v[i] over the flat index, here in 0..255 before normalisation.
    const pixels = Float32Array.from(
      { length: 2 * 224 * 224 * 3 },
      (_, i) => 255 * (0.25 * (Math.sin(0.0137 * i) + Math.sin(0.00071 * i)) + 0.5),
    );
    const found = await encoder.encode(pixels, 2);
    expect(largestDifference(found, features)).toBeLessThan(within.features);
    encoder.dispose();
  });

  it(`log-probabilities and attention are, to ${within.logProbs} and ${within.attention}`, async () => {
    const decoder = await engine.loadDecoder(bundle);
    const V = decoder.vocabulary.size;
    const session = await decoder.start(features, 2);
    for (const [t, token] of [1, 4, 100].entries()) {
      const { values, indices, attention } = await session.step({
        images: 2,
        width: 1,
        tokens: Int32Array.of(token, token),
        parents: Int32Array.of(0, 1),
        scores: new Float32Array(2),
        excluded: new Float32Array(V),
        penalties: new Float32Array(V),
        count: V,
        attention: true,
      });
      for (const image of [0, 1]) {
        const at = image * 3 + t;
        const logProbs = byIndex(values, indices, image, V);
        const expected = valuesOf('logProbs').subarray(at * V, (at + 1) * V);
        expect(largestDifference(logProbs, expected)).toBeLessThan(within.logProbs);
        const looked = valuesOf('attention').subarray(at * 49, (at + 1) * 49);
        const found = attention?.[image] as Float32Array;
        expect(largestDifference(found, looked)).toBeLessThan(within.attention);
      }
    }
    session.dispose();
    decoder.dispose();
  });
}

function describeEncoder(engine: Engine): void {
  const bundle = tinyBundle('lrcn', words);

  it('agrees with loops written out, on sizes that are odd on the way', async () => {
    const encoder = await engine.loadExactEncoder(bundle);
    const pixels = randomBytes(2 * 12 * 10 * 3, 4);
    const features = await encoder.encode(new Float32Array(pixels), 2);
    const { mean, std } = bundle.description.preprocessing;
    const expected = [0, 1].flatMap((image) => {
      const data = Float64Array.from(pixels.subarray(image * 360, (image + 1) * 360), (byte, i) => {
        return (byte / 255 - (mean[i % 3] as number)) / (std[i % 3] as number);
      });
      const normalised = { height: 12, width: 10, channels: 3, data };
      return [...referenceMobileNetV2(bundle.encoder, encoderSizes.stages, normalised)];
    });
    expect(features.some((value) => value > 0 && value < 6)).toBe(true);
    expect(largestDifference(features, expected)).toBeLessThan(1e-4);
    encoder.dispose();
  });

  it('does not depend on how images are batched', async () => {
    const encoder = await engine.loadExactEncoder(bundle);
    const pixels = new Float32Array(randomBytes(21 * 360, 5));
    const together = await encoder.encode(pixels, 21);
    for (let image = 0; image < 21; image++) {
      const alone = await encoder.encode(pixels.subarray(image * 360, (image + 1) * 360), 1);
      const same = together.subarray(image * 45, (image + 1) * 45);
      expect(largestDifference(alone, same)).toBeLessThan(1e-5);
    }
    encoder.dispose();
  });

  it('rounds features to float16, and nothing else', async () => {
    const encoder = await engine.loadEncoder(bundle);
    const pixels = randomBytes(2 * 360, 6);
    const exact = await engine.loadExactEncoder(bundle);
    const unrounded = await exact.encode(new Float32Array(pixels), 2);
    expect(await encoder.encode(pixels, 2)).toEqual(toFloat16(unrounded));
    encoder.dispose();
    exact.dispose();
  });

  it('refuses pixels of another size', async () => {
    const encoder = await engine.loadEncoder(bundle);
    await expect(encoder.encode(new Uint8Array(359), 1)).rejects.toThrow(
      'pixels [1,12,10,3] should have 360 values, and has 359',
    );
    encoder.dispose();
  });
}

function describeDecoder(engine: Engine, family: string): void {
  const bundle = tinyBundle(family, words, 3);
  const V = bundle.vocabulary.size;
  const reference = referenceDecoders[family] as (typeof referenceDecoders)[string];
  const features = randomFloats(3 * 45, 6);
  const featuresOf = (image: number) =>
    Array.from({ length: 9 }, (_, l) => [
      ...features.subarray(image * 45 + l * 5, image * 45 + (l + 1) * 5),
    ]);

  it('agrees with its equations, also when rows are reordered and images leave', async () => {
    const decoder = await engine.loadDecoder(bundle);
    const session = await decoder.start(features, 3);
    // Images 0, 1, 2; then two hypotheses each; then image 0 leaves, the last one takes its place,
    // and hypotheses swap.
    const steps = [
      { rows: [[0], [1], [2]], tokens: [1, 1, 1], parents: [0, 1, 2] },
      {
        rows: [
          [0, 0],
          [1, 1],
          [2, 2],
        ],
        tokens: [4, 5, 6, 7, 8, 9],
        parents: [0, 0, 1, 1, 2, 2],
      },
      {
        rows: [
          [2, 2],
          [1, 1],
        ],
        tokens: [12, 13, 10, 11],
        parents: [5, 5, 3, 2],
        stay: [2, 1],
      },
    ];
    let sentences: number[][] = [[], [], []];
    for (const { rows, tokens, parents, stay } of steps) {
      sentences = tokens.map((token, row) => [...(sentences[parents[row] as number] ?? []), token]);
      const width = (rows[0] as number[]).length;
      const result = await session.step({
        images: rows.length,
        width,
        ...(stay && { stay: Int32Array.from(stay) }),
        tokens: Int32Array.from(tokens),
        parents: Int32Array.from(parents),
        scores: new Float32Array(tokens.length),
        excluded: new Float32Array(V),
        penalties: new Float32Array(V),
        count: width * V,
        attention: decoder.attends,
      });
      for (const [row, image] of rows.flat().entries()) {
        const expected = reference(bundle.decoder, featuresOf(image), sentences[row] as number[]);
        const of = byIndex(result.values, result.indices, Math.floor(row / width), width * V);
        const start = (row % width) * V;
        expect(largestDifference(of.subarray(start, start + V), expected.logProbs)).toBeLessThan(
          1e-4,
        );
        if (!decoder.attends) continue;
        const looked = result.attention?.[row] as Float32Array;
        expect(largestDifference(looked, expected.attention as number[])).toBeLessThan(1e-5);
      }
    }
    session.dispose();
    decoder.dispose();
  });

  it('finds the n best of all sentences, when the beam holds every prefix', async () => {
    const small = tinyBundle(family, ['a', 'dog', 'runs'], 8);
    const decoder = await engine.loadDecoder(small);
    for (const noRepeatNgram of [0, 1]) {
      const options = { ...exhaustive, noRepeatNgram, attention: decoder.attends };
      const found = await searchCaptions(decoder, features, 3, options);
      for (const [image, candidates] of found.entries()) {
        const next = (said: readonly number[]) =>
          reference(small.decoder, featuresOf(image), [1, ...said]).logProbs;
        const expected = searchExhaustively(next, 7, options);
        expect(candidates.map(({ tokens }) => tokens)).toEqual(
          expected.map(({ tokens }) => tokens),
        );
        for (const [rank, { logProb, attention, tokens }] of candidates.entries()) {
          expect(logProb).toBeCloseTo(expected[rank]?.logProb as number, 4);
          expect(attention?.length).toBe(decoder.attends ? tokens.length : undefined);
        }
      }
    }
    decoder.dispose();
  });

  it('does not depend on how images are batched', async () => {
    const decoder = await engine.loadDecoder(bundle);
    const many = randomFloats(13 * 45, 9);
    const together = await searchCaptions(decoder, many, 13, bundle.description.decoding);
    for (let image = 0; image < 13; image++) {
      const one = many.subarray(image * 45, (image + 1) * 45);
      const [alone] = await searchCaptions(decoder, one, 1, bundle.description.decoding);
      expect(alone?.map(({ tokens }) => tokens)).toEqual(
        together[image]?.map(({ tokens }) => tokens),
      );
      expect(alone?.[0]?.logProb).toBeCloseTo(together[image]?.[0]?.logProb as number, 4);
    }
    decoder.dispose();
  });

  it('starts from float16 as from the same numbers in float32', async () => {
    const decoder = await engine.loadDecoder(bundle);
    const halves = toFloat16(features);
    const captions = (given: Uint16Array | Float32Array) =>
      searchCaptions(decoder, given, 3, bundle.description.decoding);
    expect(await captions(halves)).toEqual(await captions(fromFloat16(halves)));
    decoder.dispose();
  });

  it('refuses features of another size, and attention that it does not have', async () => {
    const decoder = await engine.loadDecoder(bundle);
    await expect(decoder.start(features, 2)).rejects.toThrow(
      'features [2,9,5] should have 90 values, and has 135',
    );
    const options = { ...bundle.description.decoding, attention: true };
    const search = searchCaptions(decoder, features, 3, options);
    if (decoder.attends) expect((await search)[0]?.[0]?.attention).toBeDefined();
    else await expect(search).rejects.toThrow('has no attention');
    decoder.dispose();
  });
}

function describeCut(engine: Engine): void {
  it.each(familyNames)('leaves what %s says as it is', async (family) => {
    const pixels = randomBytes(3 * 360, 7);
    const candidates = async (cut: 'feature-map' | 'projection') => {
      const bundle = tinyBundle(family, words, 3, cut);
      const encoder = await engine.loadExactEncoder(bundle);
      const decoder = await engine.loadDecoder(bundle);
      const features = await encoder.encode(new Float32Array(pixels), 3);
      expect(features.length).toBe(3 * elementCount(bundle.description.features.shape));
      const found = await searchCaptions(decoder, features, 3, bundle.description.decoding);
      encoder.dispose();
      decoder.dispose();
      return found.flat();
    };
    const before = await candidates('feature-map');
    const behind = await candidates('projection');
    expect(behind.map(({ tokens }) => tokens)).toEqual(before.map(({ tokens }) => tokens));
    for (const [index, { logProb }] of behind.entries()) {
      expect(logProb).toBeCloseTo(before[index]?.logProb as number, 5);
    }
  });
}

const elementCount = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const exhaustive = {
  beamSize: 27,
  candidates: 6,
  lengthPenalty: 0.7,
  lengthMax: 3,
  lengthMin: 1,
  noRepeatNgram: 0,
  attention: false,
};

function describeTies(engine: Engine): void {
  it('go to the lower index: the earlier hypothesis, the lower word', async () => {
    const bundle = tinyBundle('show-and-tell', words);
    const V = bundle.vocabulary.size;
    const decoder = new Map(bundle.decoder);
    for (const name of ['output.kernel', 'output.bias']) {
      const { shape, data } = bundle.decoder.get(name) as WeightArray;
      decoder.set(name, { shape, data: new Float32Array(data.length) });
    }
    const indifferent = await engine.loadDecoder({ ...bundle, decoder });
    const session = await indifferent.start(randomFloats(45, 1), 1);
    const { values, indices } = await session.step({
      images: 1,
      width: 3,
      tokens: Int32Array.of(1, 1, 1),
      parents: Int32Array.of(0, 0, 0),
      scores: Float32Array.of(-2, -1, -1),
      excluded: new Float32Array(V),
      penalties: new Float32Array(V),
      count: V + 2,
      attention: false,
    });
    expect([...indices]).toEqual(Array.from({ length: V + 2 }, (_, rank) => V + rank));
    expect(values[0]).toBeCloseTo(-1 - Math.log(V), 5);
    session.dispose();
    indifferent.dispose();
  });
}

function describeMemory(engine: Engine, countTensors: () => number): void {
  it('holds as many tensors after 20 batches as after 2, and none after disposal', async () => {
    const before = countTensors();
    const bundle = tinyBundle('show-attend-tell', words);
    const captioner = await createCaptioner(engine, bundle);
    const counts: number[] = [];
    for (let batch = 0; batch < 20; batch++) {
      const images = 1 + (batch % 5);
      await captioner.caption(randomBytes(images * 360, batch), images, { attention: true });
      counts.push(countTensors());
    }
    expect(counts[19]).toBe(counts[1]);
    expect(counts[19]).toBeGreaterThan(before);
    captioner.dispose();
    expect(countTensors()).toBe(before);
  });
}

export function readShippedBundle(): ModelBundle {
  const folder = new URL(
    '../../../../models/mobilenet-v2-show-attend-tell-broad/',
    import.meta.url,
  );
  return parseModelBundle(
    new Map(readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder))])),
  );
}

/** The same model with its projection in the decoder: the golden features are a feature map. */
function cutAtFeatureMap({ description, encoder, decoder, ...model }: ModelBundle): ModelBundle {
  const { family, sizes } = findDecoderFamily(description);
  const shape = featureMapShape(description);
  const projection = Object.keys(family.projection.parameters(sizes, shape[1]));
  const moved = projection.map((name) => [name, encoder.get(name) as WeightArray] as const);
  return {
    ...model,
    description: {
      ...description,
      features: { cut: 'feature-map', shape: [...shape], dtype: 'float16' },
    },
    encoder: new Map([...encoder].filter(([name]) => !projection.includes(name))),
    decoder: new Map([...decoder, ...moved]),
  };
}

/** An image's part of a step's result, when all continuations were asked for. */
function byIndex(values: Float32Array, indices: Int32Array, image: number, count: number) {
  const ordered = new Float32Array(count).fill(NaN);
  for (let at = image * count; at < (image + 1) * count; at++) {
    ordered[indices[at] as number] = values[at] as number;
  }
  return ordered;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    // NaN compares as false: it must not pass for a small difference.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
