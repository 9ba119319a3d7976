/**
 * Captioners as they were published, at a thousandth of their size, against what the reference
 * implementation computes. They lie beside the repository; where they do not, the test says so.
 */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  captionFeatures,
  convertCheckpoint,
  type Decoder,
  type Engine,
  type ModelBundle,
  parseModelBundle,
  parseSafetensors,
  searchCaptions,
  toFloat16,
  type WeightArray,
} from '@cutline/captioner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpointOf, fileOf, json, publishedFolder, readFolder } from './published-files.ts';

interface Expected {
  generate: Record<'greedy' | 'beam3' | 'beam4_norepeat', Generated>;
  prompt?: { text: string; beam3_sequences: number[][]; beam3_text: string[] };
  texts: { text: string; ids: number[] }[];
  decode: { text: string; ids: number[] }[];
}

interface Generated {
  /** With the start token, and padded after the end. */
  sequences: number[][];
  text: string[];
  scores?: number[];
}

/** At most so many tokens, the end token counted. */
const tokensMax = 20;

export function describePublished(engine: Engine, within: number): void {
  if (!existsSync(publishedFolder)) {
    it.skip(`NOT TESTED: there are no published captioners in ${fileURLToPath(publishedFolder)}`, () => {});
    return;
  }
  describe.each(readdirSync(publishedFolder).filter((name) => !name.includes('.')))(
    '%s',
    (name) => {
      const files = readFolder(new URL(`${name}/`, publishedFolder));
      const expected = json(files, 'expected.json') as Expected;
      const golden = parseGolden(fileOf(files, 'expected.safetensors'));
      const valuesOf = (tensor: string) => golden.get(tensor) as WeightArray;
      let bundle: ModelBundle;
      let decoder: Decoder;
      let features: Float32Array;

      beforeAll(async () => {
        const checkpoint = checkpointOf(files);
        const origin = { name, licence: 'CC0-1.0', provenance: 'tiny' };
        bundle = parseModelBundle(await convertCheckpoint(checkpoint, origin));
        const encoder = await engine.loadExactEncoder(bundle);
        features = await encoder.encode(...pixelsOf(valuesOf('pixel_values'), bundle));
        decoder = await engine.loadDecoder(bundle);
      });
      afterAll(() => decoder?.dispose());

      it(`encodes within ${within}`, () => {
        expect(largestDifference(features, valuesOf('encoder').data)).toBeLessThan(within);
      });

      it(`gives log-probabilities within ${within}`, async () => {
        const { data, shape } = valuesOf('log_probs');
        const [images = 0, length = 0, V = 0] = shape;
        const ids = new Int32Array(valuesOf('token_ids').data.slice().buffer);
        const session = await decoder.start(features, images);
        for (let at = 0; at < length; at++) {
          const rows = Array.from({ length: images }, (_, image) => image);
          const { values, indices, attention } = await session.step({
            images,
            width: 1,
            tokens: Int32Array.from(rows, (image) => ids[image * length + at] as number),
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
            (_, i) => data[(Math.floor(i / V) * length + at) * V + (i % V)] as number,
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
        const found = await searchCaptions(decoder, features, 6, {
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
        const found = await searchCaptions(decoder, features, 6, { ...options, prompt: text });
        const best = found.map(([candidate]) => candidate?.tokens ?? []);
        expect(best).toEqual(sequences.map((ids) => captionOf(ids, bundle.vocabulary)));
        expect(best.map((tokens) => bundle.vocabulary.spell(tokens))).toEqual(texts);
      });

      it('says where it looked for each word, be it of one token or of several', async () => {
        const options = { ...bundle.description.decoding, attention: true };
        const found = await captionFeatures(decoder, toFloat16(features), 6, options);
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
          const special = name === 'vitgpt2' ? ids : ids.slice(1, -1); // [CLS] and [SEP]
          expect(vocabulary.read(text), text).toEqual(special);
        }
        for (const { text, ids } of expected.decode)
          expect(vocabulary.spell(ids)).toBe(text.trim());
      });
    },
  );
}

function never(): never {
  throw new Error('there is no caption');
}

/** Integers are read as the floats of the same bits: no weights are of integers. */
function parseGolden(bytes: Uint8Array) {
  const text = Buffer.from(bytes).toString('latin1').replaceAll('"I32"', '"F32"');
  return parseSafetensors(Buffer.from(text, 'latin1'), 'expected.safetensors');
}

function captionOf(ids: readonly number[], { end }: { end: number }): number[] {
  const said = ids.slice(1);
  const length = said.indexOf(end);
  return length === -1 ? said : said.slice(0, length);
}

/** Normalised `[B,3,H,W]` → as an encoder wants them: `[B,H,W,3]` in 0..255, and B. */
function pixelsOf({ data, shape }: WeightArray, { description }: ModelBundle) {
  const [images = 0, , height = 0, width = 0] = shape;
  const { mean, std } = description.preprocessing;
  const pixels = new Float32Array(data.length);
  const area = height * width;
  for (let image = 0; image < images; image++) {
    for (const channel of [0, 1, 2] as const) {
      for (let at = 0; at < area; at++) {
        const value = data[(image * 3 + channel) * area + at] as number;
        pixels[(image * area + at) * 3 + channel] = 255 * (value * std[channel] + mean[channel]);
      }
    }
  }
  return [pixels, images] as const;
}

function largestDifference(found: Float32Array, wanted: Float32Array): number {
  expect(found).toHaveLength(wanted.length);
  return wanted.reduce(
    (most, value, at) => Math.max(most, Math.abs(value - (found[at] as number))),
    0,
  );
}
