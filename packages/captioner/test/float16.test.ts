import { createRandom, fromFloat16, toFloat16 } from '@cutline/captioner';
import { describe, expect, it } from 'vitest';

const allHalves = Uint16Array.from({ length: 0x10000 }, (_, half) => half);
const isNaNHalf = (half: number) => (half & 0x7fff) > 0x7c00;

describe('float16', () => {
  it('decodes as IEEE 754 has it', () => {
    const known: [number, number][] = [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3c00, 1],
      [0x3555, 0.333251953125],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x7e00, NaN],
    ];
    for (const [half, value] of known) {
      expect(fromFloat16(Uint16Array.of(half))[0], half.toString(16)).toBe(value);
    }
  });

  it('brings every half back unchanged', () => {
    const back = toFloat16(fromFloat16(allHalves));
    const changed = [...allHalves].filter((half) => !isNaNHalf(half) && back[half] !== half);
    expect(changed).toEqual([]);
    expect([...allHalves].filter(isNaNHalf).every((half) => back[half] === 0x7e00)).toBe(true);
  });

  it('rounds to the nearest half, and of two as near to the even one', () => {
    const values = fromFloat16(allHalves);
    const random = createRandom(7);
    for (let trial = 0; trial < 20_000; trial++) {
      const lower = Math.floor(random() * 0x7bff); // a half and its successor, both finite
      const [a, b] = [values[lower] as number, values[lower + 1] as number];
      const middle = (a + b) / 2; // exact in float32
      const x = Math.fround(trial % 2 === 0 ? middle : a + (b - a) * random());
      const even = lower % 2 === 0 ? lower : lower + 1;
      const expected = x < middle ? lower : x > middle ? lower + 1 : even;
      const found = toFloat16(Float32Array.of(x, -x));
      if (found[0] !== expected || found[1] !== (expected | 0x8000)) {
        expect.fail(`±${x} should become half ${expected}, and became ${found}`);
      }
    }
  });

  it('overflows to infinity from halfway to the next power of two on', () => {
    const x = Float32Array.of(
      65519.996,
      65520,
      1e30,
      -65520,
      1e-30,
      -(2 ** -25),
      2 ** -25 * 1.0001,
    );
    expect([...toFloat16(x)]).toEqual([0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 0x8000, 1]);
  });

  it('reads a view into a larger buffer', () => {
    expect([...toFloat16(new Float32Array([5, 1, 2, 5]).subarray(1, 3))]).toEqual([0x3c00, 0x4000]);
  });
});
