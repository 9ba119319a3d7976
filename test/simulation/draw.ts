import { createRandom } from '@cutline/captioner';

/** What a seed decides: every draw is the same for the same seed, and the same draws before it. */
export class Draw {
  /** [0, 1) */
  readonly random: () => number;

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  chance(p: number): boolean {
    return this.random() < p;
  }

  /** [low, high) */
  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  /** A whole number in [low, high] */
  count(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }
}
