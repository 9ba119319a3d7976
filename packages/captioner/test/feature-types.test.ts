import {
  createRandom,
  featureBytes,
  fromFloat16,
  fromInt8Features,
  toFloat16,
  toInt8Features,
} from '@cutline/captioner';
import { expect, test } from 'vitest';

/** Features in bytes, with a scale a location. */

const shape = [3, 5] as const;

test('take half the bytes and a scale', () => {
  expect(featureBytes('float16', [577, 768])).toBe(577 * 768 * 2);
  expect(featureBytes('int8', [577, 768])).toBe(577 * (768 + 4));
});

test('are within half a step of what they were, at every location by its own scale', () => {
  const random = createRandom(3);
  // Locations of very different sizes: a scale an image would lose the small ones.
  const values = Float32Array.from({ length: 2 * 3 * 5 }, (_, at) => {
    return (random() - 0.5) * 10 ** ((Math.floor(at / 5) % 3) * 2 - 2);
  });
  const halves = toFloat16(values);
  const packed = toInt8Features(halves, shape);
  expect(packed).toHaveLength(2 * featureBytes('int8', shape));
  const read = fromFloat16(fromInt8Features(packed, shape));
  const exact = fromFloat16(halves);
  for (let row = 0; row < 6; row++) {
    const place = (all: Float32Array) => Array.from(all.subarray(row * 5, row * 5 + 5));
    const largest = Math.max(...place(exact).map(Math.abs));
    for (const [channel, value] of place(read).entries()) {
      const was = place(exact)[channel] as number;
      // Half a step, and what float16 rounds.
      expect(Math.abs(value - was)).toBeLessThanOrEqual(largest * (0.5 / 127 + 2 ** -11));
    }
  }
});

test('of an image are the same whatever images it comes with', () => {
  const random = createRandom(5);
  const halves = toFloat16(Float32Array.from({ length: 4 * 15 }, () => random() - 0.5));
  const together = toInt8Features(halves, shape);
  const bytes = featureBytes('int8', shape);
  for (let image = 0; image < 4; image++) {
    const alone = toInt8Features(halves.subarray(image * 15, image * 15 + 15), shape);
    const part = together.subarray(image * bytes, image * bytes + bytes);
    expect(Array.from(part)).toEqual(Array.from(alone));
    // From the middle of a buffer, too, where scales are at no multiple of four.
    expect(fromInt8Features(part, shape)).toEqual(fromInt8Features(alone, shape));
  }
});

test('that are zeros stay so, and the largest keeps its value', () => {
  const halves = toFloat16(Float32Array.of(0, 0, 0, 0, 0, 127, -127, 1, 0, -64, 2, 2, 2, 2, 2));
  expect(Array.from(fromFloat16(fromInt8Features(toInt8Features(halves, shape), shape)))).toEqual([
    0, 0, 0, 0, 0, 127, -127, 1, 0, -64, 2, 2, 2, 2, 2,
  ]);
});
