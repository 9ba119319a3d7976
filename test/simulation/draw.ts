/** What a seed decides: every draw is the same for the same seed, and the same draws before it. */
export class Draw {
  /** [0, 1) */
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
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

/** Numbers in [0, 1), the same for the same seed (the generator "mulberry32"). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
