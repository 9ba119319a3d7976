/**
 * The nine photographs against values that another implementation gave (golden-photographs.json):
 * it decoded and resized with another library, and its weights were not rounded to float16, hence
 * the tolerances. Everything is in play here: decoding, resizing, the CNN, the decoder and beam
 * search.
 */
import { readFile } from 'node:fs/promises';
import {
  decodeImage,
  defaultBundleFolder,
  type InferencePool,
  startInference,
} from '@cutline/inference';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { photographs } from '../../../scripts/photographs.mjs';

interface Golden {
  image: string;
  captions: { caption: string; logProb: number; score: number }[];
}

const golden: Golden[] = JSON.parse(
  await readFile(new URL('fixtures/golden-photographs.json', import.meta.url), 'utf8'),
);

/**
 * Here resizing decides, and not rounding, what beam search finds: the words of this caption stay in
 * the beam, where the golden values' search had dropped them, and it scores better (-1.20) than what
 * that found best (-1.36), which comes second.
 */
const foundBesides: Record<string, string> = { 'march-pastoral': 'horses in a field' };

describe('the golden photographs', () => {
  let pool: InferencePool;
  beforeAll(async () => {
    pool = await startInference({
      bundleFolder: defaultBundleFolder(),
      stages: { encode: true, decode: true },
      backend: 'auto',
    });
  });
  afterAll(() => pool.close());

  it('get the same best captions, with nearly the same log-probabilities', async () => {
    const { preprocessing, decoding } = pool.model;
    const limits = { pixelsMax: 1e8, timeoutMs: 30_000 };
    const pixels = await Promise.all(
      photographs().map(async ({ path }) => {
        const image = await decodeImage(await readFile(path), preprocessing, limits);
        return image.pixels;
      }),
    );
    const features = await pool.encode(Buffer.concat(pixels), pixels.length);
    const found = await pool.decode(features, pixels.length, { ...decoding, beamSize: 5 });
    expect(photographs().map(({ name }) => name)).toEqual(golden.map(({ image }) => image));
    for (const [index, { image, captions }] of golden.entries()) {
      const [best, second] = found[index]?.candidates ?? [];
      const besides = foundBesides[image];
      if (besides) expect(best?.caption, image).toBe(besides);
      const same = besides ? second : best;
      expect(same?.caption, image).toBe(captions[0]?.caption);
      const difference = Math.abs((same?.logProb ?? 0) - (captions[0]?.logProb ?? 0));
      expect(difference, `${image}: logProb`).toBeLessThan(0.15);
    }
  }, 60_000);
});
