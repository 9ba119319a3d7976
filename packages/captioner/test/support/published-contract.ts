/**
 * Published captioners at a tiny size, against what the reference implementation computes: with random
 * weights, and trained ones, which lie beside the repository; where they do not, the test says so.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  captionFeatures,
  convertCheckpoint,
  type Decoder,
  type Engine,
  type ModelBundle,
  parseModelBundle,
  searchCaptions,
  toFloat16,
} from '@cutline/captioner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PublishedCase, trainedCases } from './published-cases.ts';
import { publishedFolder } from './published-files.ts';
import { randomCases } from './random-published.ts';

/** At most so many tokens, the end token counted. */
const tokensMax = 20;

export function describePublished(engine: Engine, within: number): void {
  describe.each(randomCases())('$name', (given) => describeCase(engine, within, given));
  if (existsSync(publishedFolder)) {
    describe.each(trainedCases())('$name', (given) => describeCase(engine, within, given));
  } else {
    it.skip(`NOT TESTED: there are no published captioners in ${fileURLToPath(publishedFolder)}`, () => {});
  }
}

function describeCase(engine: Engine, within: number, given: PublishedCase): void {
  const { name, images, expected } = given;
  let bundle: ModelBundle;
  let decoder: Decoder;
  let features: Float32Array;

  beforeAll(async () => {
    const origin = { name, licence: 'CC0-1.0', provenance: 'tiny' };
    bundle = parseModelBundle(await convertCheckpoint(given.checkpoint, origin));
    const encoder = await engine.loadExactEncoder(bundle);
    features = await encoder.encode(given.pixelsFor(bundle), images);
    encoder.dispose();
    decoder = await engine.loadDecoder(bundle);
  });
  afterAll(() => decoder?.dispose());

  it(`encodes within ${within}`, () => {
    expect(largestDifference(features, given.encoder)).toBeLessThan(within);
  });

  it(`gives log-probabilities within ${within}`, async () => {
    const { tokenIds, logProbs } = given;
    const length = tokenIds[0]?.length ?? 0;
    const V = decoder.vocabulary.size;
    const session = await decoder.start(features, images);
    for (let at = 0; at < length; at++) {
      const rows = Array.from({ length: images }, (_, image) => image);
      const { values, indices, attention } = await session.step({
        images,
        width: 1,
        tokens: Int32Array.from(rows, (image) => tokenIds[image]?.[at] as number),
        parents: Int32Array.from(rows),
        scores: new Float32Array(images),
        excluded: new Float32Array(V),
        penalties: new Float32Array(V),
        count: V,
        attention: true,
      });
      const found = new Float32Array(images * V);
      for (const [place, value] of values.entries()) {
        found[Math.floor(place / V) * V + (indices[place] as number)] = value;
      }
      const wanted = Float32Array.from(
        found,
        (_, i) => logProbs[(Math.floor(i / V) * length + at) * V + (i % V)] as number,
      );
      expect(largestDifference(found, wanted), `after ${at + 1} tokens`).toBeLessThan(within);
      for (const weights of attention ?? []) {
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
      }
    }
    session.dispose();
  });

  it.each([
    ['greedy', { beamSize: 1 }],
    ['beam3', { beamSize: 3, candidates: 3 }],
    ['beam4_norepeat', { beamSize: 4, noRepeatNgram: 2 }],
  ] as const)('captions as the reference does: %s', async (kind, options) => {
    const { sequences, text, scores } = expected.generate[kind];
    const found = await searchCaptions(decoder, features, images, {
      ...{ candidates: 1, lengthPenalty: 1, lengthMin: 0, noRepeatNgram: 0, attention: false },
      ...options,
      lengthMax: tokensMax,
      stopEarly: true,
    });
    const { vocabulary } = decoder;
    const all = found.flat();
    expect(all.map(({ tokens }) => tokens)).toEqual(
      sequences.map((ids) => captionOf(ids, vocabulary)),
    );
    expect(all.map(({ tokens }) => vocabulary.spell(tokens))).toEqual(text);
    for (const [rank, score] of (scores ?? []).entries()) {
      expect(Math.abs((all[rank]?.score ?? Number.NaN) - score)).toBeLessThan(within);
    }
  });

  it.runIf(expected.prompt)('goes on from a prompt as the reference does', async () => {
    const { text, beam3_sequences: sequences, beam3_text: texts } = expected.prompt ?? never();
    const options = { ...bundle.description.decoding, beamSize: 3, lengthMax: tokensMax };
    const found = await searchCaptions(decoder, features, images, { ...options, prompt: text });
    const best = found.map(([candidate]) => candidate?.tokens ?? []);
    expect(best).toEqual(sequences.map((ids) => captionOf(ids, bundle.vocabulary)));
    expect(best.map((tokens) => bundle.vocabulary.spell(tokens))).toEqual(texts);
  });

  it('says the same of an image again, whatever images it comes with', async () => {
    const options = { ...bundle.description.decoding, lengthMax: tokensMax };
    const together = await searchCaptions(decoder, features, images, options);
    const length = features.length / images;
    for (const [image, found] of together.entries()) {
      const own = features.slice(image * length, (image + 1) * length);
      const [alone] = await searchCaptions(decoder, own, 1, options);
      expect(alone?.map(({ tokens }) => tokens)).toEqual(found.map(({ tokens }) => tokens));
    }
  });

  it('says where it looked for each word, be it of one token or of several', async () => {
    const options = { ...bundle.description.decoding, attention: true };
    const found = await captionFeatures(decoder, toFloat16(features), images, options);
    for (const [{ caption, attention } = never()] of found) {
      expect(attention).toHaveLength(caption.split(' ').length);
      for (const weights of attention ?? []) {
        expect(weights).toHaveLength((bundle.description.features.shape[0] ?? 0) - 1);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
      }
    }
  });

  it('divides texts into tokens, and puts them together, as the reference does', () => {
    const { vocabulary } = bundle;
    for (const { text, ids } of expected.texts) {
      expect(vocabulary.read(text), text).toEqual(ids);
    }
    for (const { text, ids } of expected.decode) expect(vocabulary.spell(ids)).toBe(text.trim());
  });
}

function never(): never {
  throw new Error('there is no caption');
}

function captionOf(ids: readonly number[], { end }: { end: number }): number[] {
  const said = ids.slice(1);
  const length = said.indexOf(end);
  return length === -1 ? said : said.slice(0, length);
}

function largestDifference(found: Float32Array, wanted: Float32Array): number {
  expect(found).toHaveLength(wanted.length);
  return wanted.reduce(
    (most, value, at) => Math.max(most, Math.abs(value - (found[at] as number))),
    0,
  );
}
