/**
 * Sizes that are known when a graph runs, in places where models write numbers.
 *
 * Models are functions over plain sizes: `width` is a `number` to them, and they multiply it by
 * others. One recorded graph has to serve every width, so a model is recorded with a number that
 * stands for the size: a prime larger than any dimension that a tensor can have. A product of it
 * and ordinary sizes still shows which size it was, and what it was multiplied by.
 */
import type { GraphValue } from './graph-builder.ts';

/** The largest primes below 2³²: a product with any ordinary size is exact in a double. */
const primes = [4_294_967_291, 4_294_967_279];

export class RuntimeSizes {
  readonly #values: GraphValue[] = [];

  /** @param value `[1]` int64, a graph's input. @returns the number that stands for it */
  standIn(value: GraphValue): number {
    const prime = primes[this.#values.length];
    if (prime === undefined) throw new RangeError(`a graph has at most ${primes.length} sizes`);
    this.#values.push(value);
    return prime;
  }

  /** What a number in a shape stands for; undefined when it is itself. */
  find(size: number): { value: GraphValue; factor: number } | undefined {
    const index = primes.findIndex((prime) => size > 0 && size % prime === 0);
    const value = this.#values[index];
    return value && { value, factor: size / (primes[index] as number) };
  }
}
