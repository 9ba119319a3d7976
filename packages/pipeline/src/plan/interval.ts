import { seededRandom } from '@cutline/shared/listing';
import { z } from 'zod';

/** What is expected, and between which bounds it lies with 95 %, as far as chance alone goes. */
export const intervalSchema = z
  .strictObject({
    expected: z.number().nonnegative(),
    low: z.number().nonnegative(),
    high: z.number().nonnegative(),
  })
  .refine(({ expected, low, high }) => low <= expected && expected <= high, {
    error: 'expected low ≤ expected ≤ high',
  });

export type Interval = z.infer<typeof intervalSchema>;

/** Of what is known. */
export function exactly(value: number): Interval {
  return { expected: value, low: value, high: value };
}

/** @param factor not negative */
export function scaled({ expected, low, high }: Interval, factor: number): Interval {
  return { expected: expected * factor, low: low * factor, high: high * factor };
}

export function plus(interval: Interval, value: number): Interval {
  const { expected, low, high } = interval;
  return { expected: expected + value, low: low + value, high: high + value };
}

/** Of whichever takes longer. */
export function larger(a: Interval, b: Interval): Interval {
  return {
    expected: Math.max(a.expected, b.expected),
    low: Math.max(a.low, b.low),
    high: Math.max(a.high, b.high),
  };
}

/** Something that took so long, or was so large, for so many images. */
export interface Measured {
  amount: number;
  images: number;
}

const resamples = 2_000;

/**
 * The amount an image: the bootstrap's percentiles of a ratio (Efron and Tibshirani 1993, sections
 * 13.3 and 2.3), drawn from groups with a seed. A few groups are less scattered than what they come
 * from, by the square root of (n - 1) / n, for which it makes up.
 *
 * @param groups with some image
 */
export function bootstrapRatio(groups: readonly Measured[], seed: number): Interval {
  const expected = ratioOf(groups);
  if (groups.length < 2) return exactly(expected);
  const random = seededRandom(seed);
  const widen = Math.sqrt(groups.length / (groups.length - 1));
  const ratios = Float64Array.from({ length: resamples }, () => {
    const drawn = groups.map(() => groups[Math.floor(random() * groups.length)] as Measured);
    return expected + (ratioOf(drawn) - expected) * widen;
  }).sort();
  const at = (share: number) => ratios[Math.round(share * (resamples - 1))] as number;
  return {
    expected,
    low: Math.max(0, Math.min(at(0.025), expected)),
    high: Math.max(at(0.975), expected),
  };
}

function ratioOf(groups: readonly Measured[]): number {
  let [amount, images] = [0, 0];
  for (const group of groups) {
    amount += group.amount;
    images += group.images;
  }
  return images === 0 ? 0 : amount / images;
}
