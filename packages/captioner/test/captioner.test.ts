import {
  captionFeatures,
  divideBatch,
  type Encoder,
  encodeImages,
  fromFloat16,
  toFloat16,
} from '@cutline/captioner';
import { describe, expect, test } from 'vitest';
import { randomLanguage, TableDecoder } from './support/table-decoder.ts';

/** How a batch becomes device batches, seen from what computes them. */

describe('a batch is divided into pieces', () => {
  test.each([
    [0, 0, []],
    [5, 1, [[0, 5]]],
    [
      9,
      2,
      [
        [0, 4],
        [4, 9],
      ],
    ],
    [
      3,
      3,
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    ],
  ])('%i images in %i', (count, pieces, expected) => {
    expect(divideBatch(count, pieces)).toEqual(expected);
  });
});

/** Images of one pixel, whose features are [red, green + blue]; it notes what it is asked for. */
class SumEncoder implements Encoder {
  readonly deviceBatch = 4;
  readonly deviceBatchMax: number = 20;
  readonly imageSize = [1, 1] as const;
  readonly featuresShape = [1, 2] as const;
  readonly counts: number[] = [];

  async encode(pixels: Uint8Array, count: number): Promise<Uint16Array> {
    this.counts.push(count);
    const value = (i: number) => pixels[i] as number;
    const features = Float32Array.from({ length: count * 2 }, (_, i) => {
      const first = Math.floor(i / 2) * 3;
      return i % 2 === 0 ? value(first) : value(first + 1) + value(first + 2);
    });
    return toFloat16(features);
  }

  dispose(): void {}
}

describe('encodeImages', () => {
  const pixels = Uint8Array.from({ length: 10 * 3 }, (_, i) => i);
  const expected = Array.from({ length: 10 }, (_, n) => [3 * n, 6 * n + 3]).flat();

  test.each([
    [undefined, [3, 3, 4]],
    [1, Array.from({ length: 10 }, () => 1)],
    [9, [5, 5]],
    [10, [10]],
    [64, [10]],
  ])('with a device batch of %s computes %j at a time', async (deviceBatch, counts) => {
    const encoder = new SumEncoder();
    const features = await encodeImages(encoder, pixels, 10, deviceBatch);
    expect([...fromFloat16(features)]).toEqual(expected);
    expect(encoder.counts).toEqual(counts);
  });

  test('computes no more at a time than the encoder may', async () => {
    const encoder = new (class extends SumEncoder {
      override readonly deviceBatchMax: number = 2;
    })();
    const features = await encodeImages(encoder, pixels, 10, 64);
    expect([...fromFloat16(features)]).toEqual(expected);
    expect(encoder.counts).toEqual([2, 2, 2, 2, 2]);
  });

  test('computes nothing of no images', async () => {
    const encoder = new SumEncoder();
    expect(await encodeImages(encoder, new Uint8Array(), 0)).toEqual(new Uint16Array());
    expect(encoder.counts).toEqual([]);
  });

  test('refuses pixels of another size before it computes any', async () => {
    const encoder = new SumEncoder();
    await expect(encodeImages(encoder, pixels, 11)).rejects.toThrow(
      'pixels [11,1,1,3] should have 33 values, and has 30',
    );
    expect(encoder.counts).toEqual([]);
  });
});

describe('captionFeatures', () => {
  const options = {
    ...{ beamSize: 3, candidates: 2, lengthPenalty: 0.7, lengthMax: 6, lengthMin: 0 },
    ...{ noRepeatNgram: 0, attention: false },
  };
  const seeds = toFloat16(Float32Array.of(3, 1, 4, 15, 9, 2, 6));

  test('gives the same captions whatever the device batch', async () => {
    const language = randomLanguage(8, 5);
    const captionsAt = async (deviceBatch?: number) => {
      const decoder = new TableDecoder(8, language);
      const captions = await captionFeatures(decoder, seeds, 7, options, deviceBatch);
      return { captions, sessions: decoder.sessions };
    };
    const together = await captionsAt(7);
    expect(together.sessions).toEqual([7]);
    expect(new Set(together.captions.map(([best]) => best?.caption)).size).toBeGreaterThan(3);
    expect(await captionsAt()).toEqual({ ...together, sessions: [1, 2, 2, 2] });
    expect(await captionsAt(3)).toEqual({ ...together, sessions: [2, 2, 3] });
  });

  test('refuses features of another size', async () => {
    const decoder = new TableDecoder(8, randomLanguage(8, 5));
    await expect(captionFeatures(decoder, seeds, 8, options)).rejects.toThrow(
      'features [8,1,1] should have 8 values, and has 7',
    );
  });
});
