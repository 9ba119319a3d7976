import { compareKeys } from '../stores/key-order.ts';
import type { ObjectInfo, ObjectStore } from '../stores/object-store.ts';
import { KeyDensity, type Span } from './key-density.ts';

/**
 * Lists a store in its order, several pages at a time: the keys that follow are divided into ranges
 * of some pages each, which are listed side by side and given one after the other. Where a range
 * begins is guessed from how dense keys were so far (`KeyDensity`); where a guess was bad, and a
 * range has more keys than was thought, it is divided again. So the order, and what whoever stops
 * has seen, are as of a listing that reads a page after the other.
 *
 * What is listed and not yet taken is bounded: `keysAheadMax` keys.
 */
export function listAhead(
  store: ObjectStore,
  prefix: string,
  options: ListAheadOptions = {},
): AsyncGenerator<ObjectInfo> {
  return new ListingAhead(store, prefix, options).keys();
}

export interface ListAheadOptions {
  startAfter?: string | undefined;
  /** Ranges that are listed at a time. */
  ranges?: number;
}

const rangesDefault = 16;
/** Some 40 MB. */
const keysAheadMax = 128_000;
/** In a range: eight pages of S3. */
const keysOfRange = 8_000;
/** A page, after which plans are made. */
const keysOfPage = 1_000;
/** A listing that ends before costs no request more than it must. */
const keysAlone = 4_000;
/** Over how many keys density is measured, where as many were taken. */
const keysOfSpan = 64_000;

/** Keys after `start`, up to and with `end`. */
class Range {
  readonly start: string | undefined;
  end: string | undefined;
  /** Listed, and not yet taken. */
  keys: ObjectInfo[] = [];
  taken = 0;
  listed: Span | undefined;
  isDone = false;
  error: unknown;

  constructor(start: string | undefined, end: string | undefined) {
    this.start = start;
    this.end = end;
  }

  get waiting(): number {
    return this.keys.length - this.taken;
  }

  add(info: ObjectInfo): void {
    this.keys.push(info);
    this.listed ??= { first: info.key, last: info.key, keys: 0 };
    this.listed.last = info.key;
    this.listed.keys += 1;
  }

  take(): ObjectInfo | undefined {
    const info = this.keys[this.taken];
    this.taken += 1;
    if (this.taken >= keysOfPage || this.taken >= this.keys.length) {
      this.keys = this.keys.slice(this.taken);
      this.taken = 0;
    }
    return info;
  }
}

class ListingAhead {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #rangesMax: number;
  /** In order; the first is the one that is given. */
  readonly #ranges: Range[] = [];
  readonly #density = new KeyDensity();
  /** Keys that were taken, one in `keysOfRange`, the earliest first: no more than a span. */
  readonly #taken: string[] = [];
  #takenKeys = 0;
  #waitingKeys = 0;
  #listing = 0;
  #isOver = false;
  /** The store does not begin where it is told: more ranges would be more of the same. */
  #isAlone = false;
  /** Of the range that is given. */
  readonly #more = new Signal();
  /** For keys that wait. */
  readonly #room = new Signal();

  constructor(store: ObjectStore, prefix: string, { startAfter, ranges }: ListAheadOptions) {
    this.#store = store;
    this.#prefix = prefix;
    this.#rangesMax = ranges ?? rangesDefault;
    this.#begin(new Range(startAfter, undefined), 0);
  }

  async *keys(): AsyncGenerator<ObjectInfo> {
    try {
      for (let range = this.#ranges[0]; range; range = this.#ranges[0]) {
        if (range.waiting > 0) {
          const info = range.take() as ObjectInfo;
          this.#waitingKeys -= 1;
          this.#see(info.key);
          yield info;
        } else if (range.error !== undefined) throw range.error;
        else if (range.isDone) {
          this.#ranges.shift();
          this.#room.tell();
        } else await this.#more.wait();
      }
    } finally {
      this.#isOver = true;
      this.#room.tell();
    }
  }

  #see(key: string): void {
    this.#takenKeys += 1;
    if (this.#takenKeys % keysOfPage !== 0) return;
    this.#density.learn(key);
    this.#room.tell();
    this.#plan();
    if (this.#takenKeys % keysOfRange !== 0) return;
    this.#taken.push(key);
    if (this.#taken.length > keysOfSpan / keysOfRange) this.#taken.shift();
  }

  #begin(range: Range, place: number): void {
    this.#ranges.splice(place, 0, range);
    this.#listing += 1;
    this.#list(range)
      .catch((error: unknown) => {
        range.error = error; // it is thrown when its turn comes
      })
      .finally(() => {
        range.isDone = true;
        this.#listing -= 1;
        this.#more.tell();
        this.#plan();
      });
  }

  async #list(range: Range): Promise<void> {
    const onStartIgnored = () => {
      this.#isAlone = true;
    };
    const sideBySide = { onStartIgnored };
    const options = { startAfter: range.start, sideBySide };
    for await (const info of this.#store.list(this.#prefix, options)) {
      const isBeyond = range.end !== undefined && compareKeys(info.key, range.end) > 0;
      if (isBeyond || this.#isOver) return;
      range.add(info);
      this.#waitingKeys += 1;
      if (range === this.#ranges[0]) this.#more.tell();
      if ((range.listed?.keys ?? 0) % keysOfPage !== 0) continue;
      this.#density.learn(info.key);
      this.#plan();
      while (this.#waitingKeys >= keysAheadMax && range !== this.#ranges[0] && !this.#isOver) {
        await this.#room.wait();
      }
    }
  }

  /** Divides what is left to list, as long as there is room and somebody free to list it. */
  #plan(): void {
    for (;;) {
      const isFull = this.#waitingKeys > keysAheadMax / 2;
      if (this.#isOver || this.#isAlone || isFull || this.#listing >= this.#rangesMax) return;
      const alone = this.#ranges.length === 1 ? this.#ranges[0] : undefined;
      if (alone && (alone.listed?.keys ?? 0) < keysAlone) return;
      const place = this.#ranges.findIndex((range) => this.#divisionOf(range) !== undefined);
      const range = this.#ranges[place];
      const key = range && this.#divisionOf(range);
      if (!range || key === undefined) return;
      const next = new Range(key, range.end);
      range.end = key;
      this.#begin(next, place + 1);
    }
  }

  /** A key in the part of a range that is not listed yet; undefined where it is not to be divided. */
  #divisionOf({ isDone, listed, start, end }: Range): string | undefined {
    const from = listed?.last ?? start;
    if (isDone || from === undefined) return undefined;
    const own = listed && listed.keys >= keysOfPage ? listed : undefined;
    // Over many keys, if folders do not hide how the next ones follow; else as this range's own.
    const spans = end === undefined ? [this.#spanOfTaken(), own] : [own];
    for (const span of spans) {
      const ahead = (keys: number) => span && this.#density.keyAhead(from, span, keys);
      const key = ahead(keysOfRange);
      if (key === undefined) continue;
      if (end === undefined) return key;
      // What is left must be worth a range of its own.
      const next = ahead(2 * keysOfRange);
      if (next !== undefined && compareKeys(next, end) < 0) return key;
    }
    return undefined;
  }

  #spanOfTaken(): Span | undefined {
    const [first, last] = [this.#taken[0], this.#taken.at(-1)];
    const keys = (this.#taken.length - 1) * keysOfRange;
    return first !== undefined && last !== undefined && keys > 0
      ? { first, last, keys }
      : undefined;
  }
}

/** Wakes those who wait. */
class Signal {
  #waiting: (() => void)[] = [];

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  tell(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
