import { createEngine, fromFloat16, searchCaptions, toFloat16 } from '@cutline/captioner';
import { describe, expect, it } from 'vitest';
import { describeEngine, readShippedBundle } from './support/engine-contract.ts';
import { randomFloats } from './support/tiny-model.ts';

describe('the onnx backend', async () => {
  await describeEngine('onnx');

  // Rows are rounded to 4 decimals; only numbers that are the same to the last bit always round alike.
  it('gives an image the same scores to the last bit, whatever images it comes with', async () => {
    const { engine } = await createEngine('onnx', { device: 'cpu' });
    const bundle = readShippedBundle();
    const decoder = await engine.loadDecoder(bundle);
    const imageLength = 49 * 512;
    // As they travel: positive, in float16, whose means are exact in whatever order they are added.
    const positive = randomFloats(6 * imageLength, 4).map((value) => Math.max(value, 0));
    const features = fromFloat16(toFloat16(positive));
    const search = (first: number, end: number) =>
      searchCaptions(
        decoder,
        features.slice(first * imageLength, end * imageLength),
        end - first,
        bundle.description.decoding,
      );
    const together = await search(0, 6);
    for (const [first, end] of [
      [0, 1],
      [1, 3],
      [3, 6],
      [1, 6],
    ] as const) {
      expect(await search(first, end)).toEqual(together.slice(first, end));
    }
    engine.dispose();
  });
});
