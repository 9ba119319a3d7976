/**
 * Where in the order of its keys a store has so many keys more: a guess, from keys that were listed.
 * Keys are read as numbers whose digits are the characters that keys are made of, as far as they
 * are ASCII. A wrong guess costs time, and nothing else: any text divides a listing.
 */
export class KeyDensity {
  readonly #characters = new Set<string>();
  #ranks = new Map<string, number>();
  #inOrder: string[] = [];

  /** Learns what keys are made of. */
  learn(key: string): void {
    const before = this.#characters.size;
    for (const character of key) if (character <= '\x7f') this.#characters.add(character);
    if (this.#characters.size === before) return;
    this.#inOrder = [...this.#characters].sort();
    this.#ranks = new Map(this.#inOrder.map((character, n) => [character, n + 1]));
  }

  /**
   * @param span the first and the last of so many keys in a row
   * @returns a text after `from`, about `ahead` keys on; undefined where the span says nothing of it
   */
  keyAhead(from: string, span: Span, ahead: number): string | undefined {
    const place = placeOfDifference(span.first, span.last);
    const prefix = span.first.slice(0, place);
    if (!from.startsWith(prefix)) return undefined;
    const value = (key: string) => this.#valueOf(key, place);
    const step = ((value(span.last) - value(span.first)) / span.keys) * ahead;
    const sum = Math.ceil(value(from) + step);
    const key = sum < this.#base ** this.#digits ? prefix + this.#textOf(sum) : undefined;
    return key !== undefined && step > 0 && key > from ? key : undefined;
  }

  /** One more than there are characters: 0 is the end of a key. */
  get #base(): number {
    return this.#inOrder.length + 1;
  }

  /** As many as are exact in a number. */
  get #digits(): number {
    return Math.floor(52 / Math.log2(this.#base + 1));
  }

  #valueOf(key: string, place: number): number {
    let value = 0;
    for (let n = 0; n < this.#digits; n++) {
      const character = key[place + n];
      const rank = character === undefined ? 0 : this.#rankOf(character);
      value = value * this.#base + rank;
    }
    return value;
  }

  #rankOf(character: string): number {
    const rank = this.#ranks.get(character);
    if (rank !== undefined) return rank;
    const after = this.#inOrder.findIndex((each) => each > character);
    return after < 0 ? this.#inOrder.length : after;
  }

  #textOf(value: number): string {
    let text = '';
    for (let n = 0; n < this.#digits; n++) {
      const rank = value % this.#base;
      if (rank > 0 || text !== '') text = (this.#inOrder[rank - 1] ?? this.#inOrder[0]) + text;
      value = Math.floor(value / this.#base);
    }
    return text;
  }
}

export interface Span {
  first: string;
  last: string;
  keys: number;
}

function placeOfDifference(a: string, b: string): number {
  let place = 0;
  while (place < a.length && a[place] === b[place]) place += 1;
  return place;
}
