import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type ListOptions,
  MemoryStore,
  type ObjectInfo,
  type ObjectStore,
  openStore,
} from '@cutline/shared/stores';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type S3Server, startS3 } from '../../../test/support/s3-server.ts';

/**
 * What every object store promises, whatever is behind it: the interface's comments, as tests.
 * What holds for one kind only is in stores-s3.test.ts and stores-folder.test.ts.
 */
interface Kind {
  name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The URL of an empty store that exists. */
  create(): Promise<string>;
  /** The URL of a store that does not exist, where there can be such. */
  missing?(): string;
  open(url: string): Promise<ObjectStore>;
}

const kinds = [
  s3Kind('S3'),
  s3Kind('S3 that ignores conditions', { conditions: false }),
  folderKind(),
  memoryKind(),
];

describe.each(kinds)('$name', (kind) => {
  let store: ObjectStore;
  let url: string;

  beforeAll(() => kind.start());
  afterAll(() => kind.stop());
  beforeEach(async () => {
    url = await kind.create();
    store = await kind.open(url);
  });
  afterEach(() => store.close());

  const put = (key: string, text: string) => store.put(key, Buffer.from(text));
  const read = async (key: string) => (await store.get(key)).bytes.toString();

  test('has the URL that it was opened with', () => {
    expect(store.url).toBe(url);
  });

  test('returns the bytes that were put', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) % 256));
    await store.put('photos/2024/cat.jpg', bytes, { contentType: 'image/jpeg' });
    const object = await store.get('photos/2024/cat.jpg');
    expect(object.bytes.equals(bytes)).toBe(true);
  });

  test('keeps empty objects', async () => {
    await put('empty', '');
    expect(await store.head('empty')).toMatchObject({ key: 'empty', bytes: 0 });
    expect((await store.get('empty', { bytesMax: 0 })).bytes.length).toBe(0);
  });

  test('says the same of an object in list, head and get', async () => {
    await put('a b.jpg', 'twelve bytes');
    const [listed] = await listAll(store);
    const head = await store.head('a b.jpg');
    const { etag } = await store.get('a b.jpg');
    const { storageClass: _, ...info } = listed!; // which listings of S3 say alone
    expect(info).toEqual({ key: 'a b.jpg', bytes: 12, etag });
    expect(head).toEqual(info);
    expect(etag).toMatch(/^[^"]+$/);
  });

  test('get refuses an object that was replaced since its ETag was read', async () => {
    await put('k', 'first');
    const { etag: first } = await store.get('k');
    await put('k', 'second one');
    await expect(store.get('k', { etag: first })).rejects.toMatchObject({ reason: 'changed' });
    const { etag: second } = await store.get('k');
    expect(second).not.toBe(first);
    expect((await store.get('k', { etag: second })).bytes.toString()).toBe('second one');
  });

  test('get reads no more than bytesMax', async () => {
    await put('k', '12345');
    await expect(store.get('k', { bytesMax: 4 })).rejects.toMatchObject({
      reason: 'too-large',
      message: expect.stringContaining('5 bytes, the limit is 4'),
    });
    expect((await store.get('k', { bytesMax: 5 })).bytes.toString()).toBe('12345');
  });

  test('get gives a range of bytes, of the version that is meant', async () => {
    const { etag } = await store.put('a.bin', Buffer.from('0123456789'));
    const get = async (start: number, end: number) =>
      (await store.get('a.bin', { etag, range: { start, end } })).bytes.toString();
    expect(await get(0, 4)).toBe('0123');
    expect(await get(4, 10)).toBe('456789');
    const limited = { range: { start: 4, end: 6 }, bytesMax: 2 };
    expect((await store.get('a.bin', limited)).bytes.toString()).toBe('45');
    const replaced = store.get('a.bin', { etag: 'another', range: { start: 0, end: 1 } });
    await expect(replaced).rejects.toMatchObject({ reason: 'changed' });
  });

  test('tells what does not exist', async () => {
    await put('a/b', 'x');
    for (const key of ['nothing', 'a', 'a/b/c', 'a/c', 'n'.repeat(2000)]) {
      await expect(store.get(key), key).rejects.toMatchObject({ reason: 'not-found' });
    }
    expect(await store.head('nothing')).toBeUndefined();
    expect(await store.head('a')).toBeUndefined();
  });

  test('delete removes an object, and what does not exist without complaint', async () => {
    await put('a/b', 'x');
    await store.delete('a/b');
    await store.delete('a/b');
    await store.delete('a');
    expect(await store.head('a/b')).toBeUndefined();
    expect(await listAll(store)).toEqual([]);
  });

  test('delete with ifMatch removes the version it names, and no other', async () => {
    const { etag: first } = await put('k', 'first');
    const { etag: second } = await put('k', 'second');
    const refusal = {
      name: 'StoreError',
      reason: 'exists',
      message: expect.stringContaining('k"'),
    };
    await expect(store.delete('k', { ifMatch: first })).rejects.toMatchObject(refusal);
    expect(await read('k')).toBe('second');
    await store.delete('k', { ifMatch: second });
    expect(await store.head('k')).toBeUndefined();
    await store.delete('k', { ifMatch: second });
    await put('k', 'third');
    await expect(store.delete('k', { ifMatch: second })).rejects.toMatchObject(refusal);
    expect(await read('k')).toBe('third');
  });

  test('refuses an empty key', async () => {
    await expect(put('', 'x')).rejects.toMatchObject({ name: 'StoreError' });
    await expect(store.get('')).rejects.toMatchObject({ name: 'StoreError' });
    await expect(store.delete('')).rejects.toMatchObject({ name: 'StoreError' });
  });

  test('keeps keys apart and as they are, and lists them in the order of their bytes', async () => {
    for (const key of difficultKeys) await put(key, `<${key}>`);
    const keys = (await listAll(store)).map(({ key }) => key);
    expect(keys).toEqual(inByteOrder(difficultKeys));
    for (const key of difficultKeys) expect(await read(key)).toBe(`<${key}>`);
  });

  test('lists what begins with a prefix, which need not end at a slash', async () => {
    for (const key of ['a/1', 'a/20', 'a/21/x', 'a/3', 'ab', 'b/2', 'ü/x y+z%'])
      await put(key, 'x');
    const keys = async (prefix: string) => (await listAll(store, prefix)).map(({ key }) => key);
    expect(await keys('a/2')).toEqual(['a/20', 'a/21/x']);
    expect(await keys('a/')).toEqual(['a/1', 'a/20', 'a/21/x', 'a/3']);
    expect(await keys('a')).toEqual(['a/1', 'a/20', 'a/21/x', 'a/3', 'ab']);
    expect(await keys('ü/x y+z%')).toEqual(['ü/x y+z%']);
    expect(await keys('a/21/x/')).toEqual([]);
    expect(await keys('zzz')).toEqual([]);
  });

  test('lists every key of several pages once, or goes on after one on a later page', async () => {
    // Names whose order by locale is not that of their bytes.
    const expected = Array.from(
      { length: 2_045 }, // three pages of S3
      (_, i) => [`IMG_${i}.JPG`, `img-${i}.jpg`, `scans/${i % 7}/Scan ${i}.tif`][i % 3] as string,
    );
    for (let i = 0; i < expected.length; i += 100) {
      await Promise.all(expected.slice(i, i + 100).map((key) => put(key, 'x')));
    }
    const sorted = inByteOrder(expected);
    const keys = (await listAll(store)).map(({ key }) => key);
    expect(keys).toEqual(sorted);
    const rest = await listAll(store, '', { startAfter: sorted[1_200] as string });
    expect(rest.map(({ key }) => key)).toEqual(sorted.slice(1_201));
    const ofPrefix = sorted.filter((key) => key.startsWith('scans/'));
    const ofRest = await listAll(store, 'scans/', { startAfter: ofPrefix[200] as string });
    expect(ofRest.map(({ key }) => key)).toEqual(ofPrefix.slice(201));
  });

  test('goes on with a listing after a key, which need not exist', async () => {
    for (const key of difficultKeys) await put(key, 'x');
    const sorted = inByteOrder(difficultKeys);
    const after = async (startAfter: string, prefix = '') =>
      (await listAll(store, prefix, { startAfter })).map(({ key }) => key);
    for (const [i, key] of sorted.entries()) expect(await after(key)).toEqual(sorted.slice(i + 1));
    for (const key of ['', 'a.', 'b.jpg', 'b.jpg/', 'b.jpg0', 'long/long/', '\u{10ffff}']) {
      const rest = sorted.filter(
        (other) => Buffer.compare(Buffer.from(other), Buffer.from(key)) > 0,
      );
      expect(await after(key), key).toEqual(rest);
    }
    expect(await after('a.', 'a')).toEqual(
      sorted.filter((key) => key.startsWith('a') && key >= 'a.'),
    );
    expect(await after('a.', 'b')).toEqual(sorted.filter((key) => key.startsWith('b')));
  });

  describe('put', () => {
    const exists = { name: 'StoreError', reason: 'exists', message: expect.stringContaining('k"') };

    test('returns the ETag of the new object', async () => {
      for (const text of ['one', 'two', '']) {
        const { etag } = await put('a/k', text);
        expect(etag).not.toBe('');
        expect(await store.head('a/k')).toMatchObject({ etag });
      }
      const { etag } = await store.put('b/k', Buffer.from('x'), { ifAbsent: true });
      expect(await store.head('b/k')).toMatchObject({ etag });
    });

    test('ifAbsent writes where there is nothing, and nowhere else', async () => {
      for (const key of ['1/k', '2/k']) {
        await store.put(key, Buffer.from('first'), { ifAbsent: true });
        const again = store.put(key, Buffer.from('second'), { ifAbsent: true });
        await expect(again).rejects.toMatchObject(exists);
        expect(await read(key)).toBe('first');
        await store.delete(key);
        await store.put(key, Buffer.from('third'), { ifAbsent: true });
        expect(await read(key)).toBe('third');
      }
      expect(await listAll(store)).toHaveLength(2);
    });

    test('ifAbsent refuses first of all where there is something', async () => {
      await put('k', 'first');
      const second = store.put('k', Buffer.from('second'), { ifAbsent: true });
      await expect(second).rejects.toMatchObject(exists);
      expect(await read('k')).toBe('first');
    });

    test('ifMatch replaces the version it names, and no other', async () => {
      const { etag: first } = await put('k', 'first');
      const { etag: second } = await store.put('k', Buffer.from('next 1'), { ifMatch: first });
      const third = store.put('k', Buffer.from('next 2'), { ifMatch: first });
      await expect(third).rejects.toMatchObject(exists);
      expect(await read('k')).toBe('next 1');
      await store.put('k', Buffer.from('next 3'), { ifMatch: second });
      expect(await read('k')).toBe('next 3');
    });

    test('ifMatch refuses what is gone', async () => {
      const { etag } = await put('k', 'first');
      await store.put('k', Buffer.from('first again'), { ifMatch: etag });
      const { etag: last } = (await store.head('k')) as ObjectInfo;
      await store.delete('k');
      for (const ifMatch of [etag, last]) {
        const late = store.put('k', Buffer.from('late'), { ifMatch });
        await expect(late).rejects.toMatchObject(exists);
      }
      expect(await store.head('k')).toBeUndefined();
    });

    test('ifMatch tells versions of one size apart, however quick they follow', async () => {
      const etags: string[] = [];
      for (let i = 0; i < 40; i++) etags.push((await put('k', `v${i % 10}`)).etag);
      // S3 gives the same content the same ETag; different content never.
      expect(new Set(etags).size).toBeGreaterThanOrEqual(10);
      const stale = store.put('k', Buffer.from('no'), { ifMatch: etags.at(-2) as string });
      await expect(stale).rejects.toMatchObject(exists);
      expect(await read('k')).toBe('v9');
    });

    test.each(['ifAbsent', 'ifMatch'] as const)(
      '%s: of many at once, one is first',
      async (kind) => {
        for (const round of ['1/k', '2/k']) {
          const condition =
            kind === 'ifAbsent'
              ? ({ ifAbsent: true } as const)
              : { ifMatch: (await put(round, 'start')).etag };
          const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`);
          const outcomes = await Promise.allSettled(
            texts.map((text) => store.put(round, Buffer.from(text), condition)),
          );
          const winners = texts.filter((_, i) => outcomes[i]?.status === 'fulfilled');
          expect(winners).toHaveLength(1);
          expect(await read(round)).toBe(winners[0]);
          for (const outcome of outcomes) {
            if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(exists);
          }
        }
      },
    );
  });

  test('a listing can be left early', async () => {
    await put('a', 'x');
    await put('b', 'x');
    for await (const { key } of store.list()) {
      expect(key).toBe('a');
      break;
    }
    expect(await read('b')).toBe('x');
  });

  test('readers see one version or the other, never a mixture', async () => {
    const versions = ['a', 'b', 'c', 'd'].map((letter, i) => letter.repeat(200_000 + i));
    await put('k', versions[0] as string);
    const writing = Promise.all(versions.map((version) => put('k', version)));
    let settled = false;
    void writing.finally(() => {
      settled = true;
    });
    let reads = 0;
    do {
      expect(versions.includes(await read('k'))).toBe(true);
      reads += 1;
    } while (!settled);
    await writing;
    expect(reads).toBeGreaterThan(0);
  });

  test('serves many at once', async () => {
    const keys = Array.from({ length: 300 }, (_, i) => `many/${i}`);
    await Promise.all(keys.map((key) => put(key, key)));
    expect(await Promise.all(keys.map(read))).toEqual(keys);
  });

  test('get gives up when it is aborted', async () => {
    await put('k', 'x');
    const reason = new Error('the worker stops');
    await expect(store.get('k', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect((await store.get('k', { signal: new AbortController().signal })).bytes.length).toBe(1);
  });

  test('check resolves where the store is', async () => {
    await expect(store.check()).resolves.toBeUndefined();
  });

  test.skipIf(!kind.missing)('says that a store is missing, not all its objects', async () => {
    const missing = await kind.open(kind.missing?.() as string);
    const name = /no-such-place/;
    const expected = { reason: 'misconfigured', message: expect.stringMatching(name) };
    await expect(missing.check()).rejects.toMatchObject(expected);
    await expect(missing.get('k')).rejects.toMatchObject(expected);
    await expect(missing.put('k', Buffer.from('x'))).rejects.toMatchObject(expected);
    await expect(listAll(missing)).rejects.toMatchObject(expected);
    missing.close();
  });
});

/** Those that both kinds can hold. */
const difficultKeys = [
  'a',
  'a b.jpg',
  'a+b.jpg',
  'a-b.jpg',
  'a.jpg',
  'a%20b.jpg',
  'a%2Fb.jpg',
  'a0.jpg',
  'a_',
  'A.jpg',
  'b/a.jpg',
  'b-/a.jpg',
  'b.jpg/a.jpg',
  'b0',
  ' leading and trailing ',
  'quote"apostrophe\'.jpg',
  '<&>;.jpg',
  'question?mark#hash.jpg',
  'back\\slash.jpg',
  'new\nline\ttab.jpg',
  'control\u0001.jpg',
  'München/Straße é.jpg',
  'Mu\u0308nchen.jpg', // decomposed
  '東京/写真.jpg',
  '\uff21.jpg', // U+FF21 comes before U+1F600 in UTF-8, after it in UTF-16
  '\u{1f600}.jpg',
  'x..y/z.',
  'long/'.repeat(40) + 'n'.repeat(200),
];

function inByteOrder(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function listAll(
  store: ObjectStore,
  prefix?: string,
  options?: ListOptions,
): Promise<ObjectInfo[]> {
  const all: ObjectInfo[] = [];
  for await (const info of store.list(prefix, options)) all.push(info);
  return all;
}

function s3Kind(name: string, options?: { conditions: boolean }): Kind {
  let server: S3Server;
  let buckets = 0;
  return {
    name,
    async start() {
      server = await startS3(options);
    },
    stop: () => server.stop(),
    create: async () => server.createBucket(`bucket-${buckets++}`),
    missing: () => 's3://no-such-place',
    open: (url) => openStore(url, server.config),
  };
}

function folderKind(): Kind {
  let parent: string;
  let folders = 0;
  return {
    name: 'folder',
    async start() {
      parent = await mkdtemp(join(tmpdir(), 'cutline stores %20 #'));
    },
    stop: () => rm(parent, { recursive: true }),
    async create() {
      const folder = join(parent, `folder ${folders++}`);
      await mkdir(folder);
      return pathToFileURL(folder).href;
    },
    missing: () => pathToFileURL(join(parent, 'no-such-place')).href,
    open: (url) => openStore(url),
  };
}

function memoryKind(): Kind {
  let stores = 0;
  return {
    name: 'memory',
    start: async () => {},
    stop: async () => {},
    create: async () => `s3://memory-${stores++}`,
    open: async (url) => new MemoryStore(url),
  };
}
