/** The search itself, over probabilities that a test can know: no network is involved. */
import { type CaptionOptions, createRandom, searchCaptions } from '@cutline/captioner';
import { describe, expect, it } from 'vitest';
import {
  searchAsPublished,
  searchExhaustively,
  searchNaively,
} from './support/reference-search.ts';
import { type Language, randomLanguage, TableDecoder } from './support/table-decoder.ts';

const defaults: CaptionOptions = {
  beamSize: 3,
  candidates: 3,
  lengthPenalty: 0.7,
  lengthMax: 6,
  lengthMin: 0,
  noRepeatNgram: 0,
  attention: false,
};

const search = (
  language: Language,
  vocabulary: number,
  images: number[],
  options: CaptionOptions,
) =>
  searchCaptions(
    new TableDecoder(vocabulary, language),
    Float32Array.from(images),
    images.length,
    options,
  );

const rounded = (candidates: { tokens: number[]; logProb: number; score: number }[]) =>
  candidates.map(({ tokens, logProb, score }) => ({
    tokens,
    logProb: logProb.toFixed(4),
    score: score.toFixed(4),
  }));

/** Options drawn at random, to meet combinations that nobody would think of. */
function drawOptions(seed: number, beamSize: number): CaptionOptions {
  const random = createRandom(seed);
  const lengthMax = 1 + Math.floor(random() * 3);
  return {
    beamSize,
    candidates: 1 + Math.floor(random() * Math.min(beamSize, 6)),
    lengthPenalty: [0, 0.7, 1, 2][Math.floor(random() * 4)] as number,
    lengthMax,
    lengthMin: Math.floor(random() * (lengthMax + 1)),
    noRepeatNgram: Math.floor(random() * 3),
    attention: false,
  };
}

describe('beam search', () => {
  it('finds what an exhaustive search finds, when the beam holds every prefix', async () => {
    const vocabulary = 7; // three words: at most 27 prefixes of three
    for (let seed = 0; seed < 100; seed++) {
      const language = randomLanguage(vocabulary, seed);
      const options = drawOptions(seed, 27);
      const [found] = await search(language, vocabulary, [seed], options);
      const expected = searchExhaustively((words) => language(seed, words), vocabulary, options);
      expect(rounded(found ?? []), JSON.stringify(options)).toEqual(rounded(expected));
    }
  });

  it('agrees with a plain beam search that neither batches nor stops early', async () => {
    const vocabulary = 24;
    for (let seed = 0; seed < 60; seed++) {
      const language = randomLanguage(vocabulary, seed);
      const options = { ...drawOptions(seed, 1 + (seed % 6)), lengthMax: 4 + (seed % 9) };
      const images = [seed, seed + 1, seed + 2, seed + 3];
      const found = await search(language, vocabulary, images, options);
      const expected = images.map((image) =>
        searchNaively((words) => language(image, words), vocabulary, options),
      );
      expect(found.map(rounded), JSON.stringify(options)).toEqual(expected.map(rounded));
    }
  });

  it('agrees with the search of published captioners, where it is to stop as they do', async () => {
    const vocabulary = 24;
    for (let seed = 0; seed < 60; seed++) {
      const language = randomLanguage(vocabulary, seed);
      const drawn = drawOptions(seed, 1 + (seed % 5));
      const options = { ...drawn, lengthMin: 0, lengthMax: 4 + (seed % 9), stopEarly: true };
      const images = [seed, seed + 1, seed + 2, seed + 3];
      const found = await search(language, vocabulary, images, options);
      const expected = images.map((image) =>
        searchAsPublished((words) => language(image, words), vocabulary, options),
      );
      expect(found.map(rounded), JSON.stringify(options)).toEqual(expected.map(rounded));
    }
  });

  it('with a beam of one, stops at the first end that is likelier than any word', async () => {
    // "4" is likelier than the end at first, though a caption of no words would score better.
    const language: Language = (_, words) =>
      Float32Array.from({ length: 6 }, (__, word) =>
        Math.log(
          words.length === 0
            ? word === 4
              ? 0.5
              : word === 2
                ? 0.49
                : 0.0025
            : word === 2
              ? 0.3
              : 0.14,
        ),
      );
    const options = { ...defaults, beamSize: 1, candidates: 1, lengthPenalty: 0, stopEarly: true };
    const [greedy] = await search(language, 6, [0], options);
    expect(greedy?.map(({ tokens }) => tokens)).toEqual([[4]]);
    const [thorough] = await search(language, 6, [0], { ...options, stopEarly: false });
    expect(thorough?.map(({ tokens }) => tokens)).toEqual([[]]);
  });

  it('does not depend on how images are batched', async () => {
    const language = randomLanguage(30, 5);
    const images = Array.from({ length: 9 }, (_, image) => image);
    const options = { ...defaults, lengthMax: 12, noRepeatNgram: 2 };
    const together = await search(language, 30, images, options);
    const apart = await Promise.all(images.map((image) => search(language, 30, [image], options)));
    expect(together).toEqual(apart.flat());
  });

  it('stops as soon as nothing can be beaten, and lets finished images go', async () => {
    // The end is almost certain after the first word, for images with an even number.
    const language: Language = (image, words) => {
      const likely = words.length > 0 && image % 2 === 0 ? 2 : 4;
      return Float32Array.from({ length: 6 }, (_, word) =>
        Math.log(word === likely ? 0.99 : 0.002),
      );
    };
    const options = { ...defaults, candidates: 1, lengthPenalty: 0, lengthMax: 100 };
    const rowsOf = async (images: number[]) => {
      const decoder = new TableDecoder(6, language);
      await searchCaptions(decoder, Float32Array.from(images), images.length, options);
      expect(decoder.openSessions).toBe(0);
      return decoder.rows;
    };
    const [short, long] = [await rowsOf([0]), await rowsOf([1])];
    expect(short).toBeLessThanOrEqual(1 + 3);
    expect(long).toBe(1 + 3 * 100);
    expect(await rowsOf([0, 1, 2])).toBe(2 * short + long);
  });

  it('never generates <pad>, <start> or <unk>', async () => {
    const language: Language = () => Float32Array.of(-0.1, -0.1, -5, -0.1, -6, -6);
    const [found] = await search(language, 6, [0], defaults);
    expect(found?.flatMap(({ tokens }) => tokens).every((token) => token > 3)).toBe(true);
  });

  it('keeps to the shortest and the longest caption that is allowed', async () => {
    const language = randomLanguage(12, 8);
    for (const [lengthMin, lengthMax] of [
      [0, 1],
      [4, 4],
      [3, 7],
    ] as const) {
      const found = await search(language, 12, [1, 2, 3], { ...defaults, lengthMin, lengthMax });
      for (const { tokens } of found.flat()) {
        expect(tokens.length).toBeGreaterThanOrEqual(lengthMin);
        expect(tokens.length).toBeLessThanOrEqual(lengthMax);
      }
    }
  });

  it('may return the empty caption when the model says so', async () => {
    const language: Language = () => Float32Array.of(-9, -9, -0.1, -9, -3, -3);
    const [found] = await search(language, 6, [0], { ...defaults, candidates: 1 });
    expect(found?.[0]?.tokens).toEqual([]);
  });

  it('prefers the lower word id and the earlier hypothesis among equals', async () => {
    const language: Language = (_image, words) =>
      words.length === 0
        ? Float32Array.of(-9, -9, -9, -9, -1, -1, -1)
        : Float32Array.of(-9, -9, -0.5, -9, -2, -2, -2);
    const [found] = await search(language, 7, [0], defaults);
    expect(found?.map(({ tokens }) => tokens)).toEqual([[4], [5], [6]]);
  });

  it('gives each word the attention of the step that chose it', async () => {
    const options = { ...defaults, beamSize: 4, attention: true };
    const found = await search(randomLanguage(10, 3), 10, [1, 2], options);
    for (const { tokens, attention } of found.flat()) {
      // TableDecoder's "attention" is the number of words read, and the last of them.
      const read = [1, ...tokens].slice(0, tokens.length);
      expect(attention?.map((row) => [...row])).toEqual(read.map((word, i) => [i + 1, word]));
    }
  });

  it('has nothing to do for no images', async () => {
    expect(await search(randomLanguage(6, 1), 6, [], defaults)).toEqual([]);
  });

  it('returns fewer candidates where there are no more sentences', async () => {
    const options = { ...defaults, beamSize: 5, candidates: 5, lengthMax: 1 };
    const [found] = await search(randomLanguage(6, 1), 6, [0], options);
    expect(found?.map(({ tokens }) => tokens).sort()).toEqual([[], [4], [5]]);
  });

  it.each([
    { beamSize: 0 },
    { candidates: 4 },
    { lengthMin: 7 },
    { lengthPenalty: -1 },
    { noRepeatNgram: 1.5 },
  ])('refuses %o', async (wrong) => {
    const asked = search(randomLanguage(6, 1), 6, [0], { ...defaults, ...wrong });
    await expect(asked).rejects.toThrow();
  });

  it('closes its session when the decoder fails', async () => {
    const decoder = new TableDecoder(6, () => {
      throw new Error('the GPU fell off the bus');
    });
    await expect(searchCaptions(decoder, new Float32Array(1), 1, defaults)).rejects.toThrow('GPU');
    expect(decoder.openSessions).toBe(0);
  });
});
