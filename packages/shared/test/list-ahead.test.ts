import { createRandom } from '@cutline/captioner';
import { listAhead } from '@cutline/shared/listing';
import {
  compareKeys,
  type ListOptions,
  MemoryStore,
  type ObjectInfo,
} from '@cutline/shared/stores';
import { expect, test } from 'vitest';

/**
 * A bucket whose pages take one round each, in which any number of them may be asked for: what
 * counts is how many rounds, and how many pages, a listing takes.
 */
class PagedStore extends MemoryStore {
  pages = 0;
  rounds = 0;
  /** The page with this key fails. */
  failsAt: string | undefined;
  ignoresStart = false;
  readonly #keys: readonly string[];
  #waiting: (() => void)[] = [];

  constructor(keys: Iterable<string>) {
    super('s3://archive');
    this.#keys = [...new Set(keys)].sort(compareKeys);
  }

  override async *list(
    _prefix = '',
    { startAfter = '', sideBySide }: ListOptions = {},
  ): AsyncGenerator<ObjectInfo> {
    let place = this.ignoresStart ? 0 : placeAfter(this.#keys, startAfter);
    do {
      await this.#nextRound();
      this.pages += 1;
      const page = this.#keys.slice(place, place + pageKeys);
      if (this.failsAt && page.includes(this.failsAt)) throw new Error('the store is out of order');
      if (compareKeys(page[0] ?? '', startAfter) < 0) sideBySide?.onStartIgnored();
      for (const key of page) {
        if (compareKeys(key, startAfter) > 0) yield { key, etag: '', bytes: 1 };
      }
      place += pageKeys;
    } while (place < this.#keys.length);
  }

  #nextRound(): Promise<void> {
    if (this.#waiting.length === 0) {
      setTimeout(() => {
        this.rounds += 1;
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const go of waiting) go();
      }, 0);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get keys(): readonly string[] {
    return this.#keys;
  }
}

function placeAfter(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(keys[middle]!, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function listAll(store: PagedStore, startAfter?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listAhead(store, '', { startAfter })) keys.push(key);
  return keys;
}

const count = 200_000;
const pageKeys = 1_000;
const keysAheadMax = 128_000;
const numbers = Array.from({ length: count }, (_, n) => n);
const digits = (n: number, length: number) => String(n).padStart(length, '0');
const hex = (random: () => number) =>
  Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');

/** A folder of many keys among small ones, numbers of any length, and what is not ASCII. */
function mixedKeys(seed: number): string[] {
  const random = createRandom(seed);
  const names = ['a', 'Ω/bilder', '1920s', 'z z', '\u{1f600}', '\uff21'];
  return numbers.slice(0, count / 2).map((n) => {
    const folder = random() < 0.5 ? 'large' : names[Math.floor(random() * names.length)];
    return `${folder}/${random() < 0.3 ? hex(random) : Math.floor(n ** (1 + random()))}.jpg`;
  });
}

const shapes: [name: string, keys: () => string[]][] = [
  ['in one folder', () => numbers.map((n) => `scans/${digits(n, 10)}.jpg`)],
  [
    'in folders of ten thousand',
    () => numbers.map((n) => `scans/${digits(Math.floor(n / 1e4), 6)}/${digits(n, 10)}.jpg`),
  ],
  [
    'in folders of 1,500',
    () => numbers.map((n) => `scans/${digits(Math.floor(n / 1500), 6)}/${digits(n % 1500, 5)}.jpg`),
  ],
  [
    'in folders of ten',
    () => numbers.map((n) => `scans/${digits(Math.floor(n / 10), 6)}/page-${n % 10}.tif`),
  ],
  [
    'drawn by chance',
    () => {
      const random = createRandom(1);
      return numbers.map(() => `${hex(random)}-${hex(random)}.jpg`);
    },
  ],
];

test.each(shapes)('keys %s are listed in a third of the time', async (_, keysOf) => {
  const store = new PagedStore(keysOf());
  expect(await listAll(store)).toEqual(store.keys);
  const pages = count / pageKeys;
  expect(store.rounds).toBeLessThan(pages / 3);
  expect(store.pages).toBeLessThan(2.5 * pages);
});

test.each([1, 2, 3, 4])(
  'no key is missed, and none comes twice, of keys of all kinds (%i)',
  async (seed) => {
    const store = new PagedStore(mixedKeys(seed));
    expect(await listAll(store)).toEqual(store.keys);
    const from = Math.floor(store.keys.length / seed / 2);
    expect(await listAll(store, store.keys[from])).toEqual(store.keys.slice(from + 1));
  },
);

test('a short listing costs what it costs a page after the other', async () => {
  for (const keys of [0, 1, 1_000, 3_999]) {
    const store = new PagedStore(numbers.slice(0, keys).map((n) => digits(n, 6)));
    expect(await listAll(store)).toHaveLength(keys);
    expect(store.pages).toBe(Math.max(1, Math.ceil(keys / pageKeys)));
  }
});

test('what is listed and not taken is bounded', async () => {
  const store = new PagedStore(shapes[0]![1]().concat(numbers.map((n) => `y/${digits(n, 9)}`)));
  const listing = listAhead(store, '');
  for (let taken = 0; taken < 20_000; taken++) await listing.next();
  await rounds(store.keys.length / pageKeys);
  // Of each range, the page that it has in hand is not counted yet; nor is what lies beyond its end.
  expect(store.pages * pageKeys).toBeLessThan(20_000 + keysAheadMax + 2 * 16 * pageKeys + 20_000);
  await listing.return(undefined);
});

test('who leaves ends it all', async () => {
  const store = new PagedStore(shapes[0]![1]());
  for await (const { key } of listAhead(store, '')) if (key === store.keys[30_000]) break;
  await rounds(3);
  const { pages } = store;
  await rounds(20);
  expect(store.pages).toBe(pages);
});

async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round++)
    await new Promise((resolve) => setTimeout(resolve, 0));
}

test('a failure is told of when its turn has come, after the keys before it', async () => {
  const store = new PagedStore(shapes[0]![1]());
  store.failsAt = store.keys[40_500];
  const keys: string[] = [];
  const listing = (async () => {
    for await (const { key } of listAhead(store, '')) keys.push(key);
  })();
  await expect(listing).rejects.toThrow('the store is out of order');
  expect(keys).toEqual(store.keys.slice(0, keys.length));
  expect(keys.length).toBeGreaterThan(39_000);
  expect(keys.length).toBeLessThanOrEqual(40_500);
});

test('a store that does not begin where it is told is not asked at many places', async () => {
  const store = new PagedStore(shapes[0]![1]());
  store.ignoresStart = true;
  expect(await listAll(store)).toEqual(store.keys);
  expect(store.pages).toBeLessThan(4 * (count / pageKeys));
});
