/**
 * A draw from what streams past, however long it is: reservoir sampling (Vitter 1985, algorithm R),
 * in one pass, with memory for what is drawn alone.
 */
export class Draw<Item> {
  readonly #size: number;
  readonly #random: () => number;
  readonly #drawn: { position: number; item: Item }[] = [];
  #seen = 0;

  constructor({ size, seed }: { size: number; seed: number }) {
    this.#size = size;
    this.#random = seededRandom(seed);
  }

  add(item: Item): void {
    const position = this.#seen++;
    const isFull = position >= this.#size;
    const slot = isFull ? Math.floor(this.#random() * (position + 1)) : position;
    if (slot < this.#size) this.#drawn[slot] = { position, item };
  }

  /** In the order in which they came. */
  items(): Item[] {
    return this.#drawn.toSorted((a, b) => a.position - b.position).map(({ item }) => item);
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
