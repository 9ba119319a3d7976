import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { listImages } from '@cutline/shared/listing';
import type { ImageRef, Selection } from '@cutline/shared/run';
import { MemoryStore, type ObjectStore, openStore } from '@cutline/shared/stores';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type S3Server, startS3 } from '../../../test/support/s3-server.ts';
import { withoutPrivileges } from './support/without-privileges.ts';

const everything: Selection = {
  keysFrom: null,
  include: [],
  exclude: [],
  limit: null,
  sample: null,
};

async function collect(
  store: ObjectStore,
  selection: Partial<Selection> = {},
  { prefix = '', exceptPrefix }: { prefix?: string; exceptPrefix?: string } = {},
): Promise<ImageRef[]> {
  const images: ImageRef[] = [];
  const listing = listImages({ store, prefix }, { ...everything, ...selection }, { exceptPrefix });
  for await (const image of listing) images.push(image);
  return images;
}

const keys = (images: readonly ImageRef[]) => images.map(({ key }) => key);

describe('a listing', () => {
  let folder: string;
  let store: ObjectStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-listing-'));
    store = await openStore(pathToFileURL(folder).href);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const put = async (...names: string[]) => {
    for (const name of names) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), 'x');
    }
  };

  test('is in the order of the store, with what the store knows', async () => {
    await put('b.jpg', 'a/2.jpg', 'a/1.jpg', 'C.jpg');
    const images = await collect(store);
    expect(keys(images)).toEqual(['C.jpg', 'a/1.jpg', 'a/2.jpg', 'b.jpg']);
    for (const image of images) {
      expect(image).toEqual({ key: image.key, etag: expect.stringMatching(/^1-/), bytes: 1 });
    }
  });

  test('has a folder that may not be read as one that fails, unless it is excluded', async () => {
    await put('a.jpg', 'closed/b.jpg', 'd.jpg');
    await chmod(join(folder, 'closed'), 0o000);
    await withoutPrivileges(folder, async () => {
      const images = await collect(store);
      expect(keys(images)).toEqual(['a.jpg', 'closed/', 'd.jpg']);
      expect(images[1]).toEqual({ key: 'closed/', etag: null, bytes: null });
      await expect(store.get('closed/')).rejects.toMatchObject({
        reason: 'access-denied',
        message: expect.stringMatching(/^The folder "closed\/" may not be read.*--exclude/),
      });
      expect(keys(await collect(store, { exclude: ['closed/**'] }))).toEqual(['a.jpg', 'd.jpg']);
      const after: string[] = [];
      const rest = store.list('', { startAfter: 'closed/', unreadable: true });
      for await (const { key } of rest) after.push(key);
      expect(after).toEqual(['d.jpg']);
      // What is asked for by its name has to be there.
      await expect(collect(store, {}, { prefix: 'closed/' })).rejects.toThrow(/Cannot list/);
    });
    await chmod(join(folder, 'closed'), 0o755);
  });

  test('marks what is no image by its name, and leaves the rest to be judged by content', async () => {
    await put('a.jpg', 'b.JSON', 'c.txt', 'd.pdf', 'e', 'f.svg', 'dir.txt/g', 'x.DS_Store');
    const skipped = (await collect(store)).filter((image) => image.skipped);
    expect(keys(skipped)).toEqual(['b.JSON', 'c.txt', 'd.pdf', 'x.DS_Store']);
    expect(skipped.every((image) => image.skipped === 'not-an-image')).toBe(true);
  });

  describe('is narrowed by globs', () => {
    beforeEach(() => put('top.jpg', 'scans/a.TIF', 'scans/b.jpg', 'scans/old/c.tif', 'a[1].jpg'));

    test.each<[string, Partial<Selection>, string[]]>([
      [
        'a name, in any folder and case',
        { include: ['*.tif'] },
        ['scans/a.TIF', 'scans/old/c.tif'],
      ],
      ['a path', { include: ['scans/*'] }, ['scans/a.TIF', 'scans/b.jpg']],
      [
        'a folder and all below',
        { include: ['scans/**'] },
        ['scans/a.TIF', 'scans/b.jpg', 'scans/old/c.tif'],
      ],
      ['several', { include: ['top.*', 'b.*'] }, ['scans/b.jpg', 'top.jpg']],
      ['what it is not', { exclude: ['*.jpg'] }, ['scans/a.TIF', 'scans/old/c.tif']],
      [
        'what it is, and then what it is not',
        { include: ['scans/**'], exclude: ['**/old/**'] },
        ['scans/a.TIF', 'scans/b.jpg'],
      ],
      ['brackets that are escaped', { include: ['a\\[1\\].jpg'] }, ['a[1].jpg']],
    ])('%s', async (_, selection, expected) => {
      expect(keys(await collect(store, selection))).toEqual(expected);
    });
  });

  describe('leaves out the results that runs write into their own source', () => {
    const results = ['run.json', 'summary.json', 'manifest/000000.jsonl.gz', 'parts/000000.jsonl'];
    results.push('ledger/0.json', 'claims/0', 'results/0.parquet', 'reviews/ann.jsonl');
    const photos = ['a.jpg', 'out/b.jpg', 'out/runs.jpg', 'runs/r1/run.json'];
    photos.push('out/runs/2024/photo.jpg', 'out/runs/photo.jpg', 'out/runs/r1/parts.jpg');
    photos.push('out/runs/r1/run.json.jpg', 'out/runs/no run/parts/x.jpg');
    photos.push('out/runs/r1/sub/parts/x.jpg');
    const counted = async (
      exceptPrefix: string | undefined,
      selection: Partial<Selection> = {},
    ) => {
      const told: number[] = [];
      const options = { exceptPrefix, onExcluded: (n: number) => told.push(n) };
      const listed: string[] = [];
      const listing = listImages({ store, prefix: '' }, { ...everything, ...selection }, options);
      for await (const { key } of listing) listed.push(key);
      return { listed, told };
    };
    beforeEach(() => put(...photos, ...results.map((name) => `out/runs/r1/${name}`)));

    test('and nothing else, and tells how many they were', async () => {
      const { listed, told } = await counted('out/runs/');
      expect(listed).toEqual(photos.toSorted());
      expect(told).toEqual([results.length]);
    });

    test('once, however the listing ends', async () => {
      expect((await counted('out/runs/', { limit: 3 })).told.length).toBeLessThanOrEqual(1);
      expect((await counted('out/runs/', { sample: { images: 2, seed: 1 } })).told).toEqual([8]);
      expect((await counted('elsewhere/runs/')).told).toEqual([]);
      expect((await counted(undefined)).listed).toHaveLength(photos.length + results.length);
    });
  });

  describe('that is not in the order of the keys is refused', () => {
    const listed = async (...names: string[]) => {
      const seen: string[] = [];
      const fake = new MemoryStore('s3://photos--x-s3');
      fake.list = async function* () {
        for (const key of names) yield { key, etag: 'e', bytes: 1 };
      };
      const error = await (async () => {
        for await (const { key } of listImages({ store: fake, prefix: '' }, everything))
          seen.push(key);
      })().catch((thrown: Error) => thrown);
      return { seen, error };
    };

    test.each([
      [
        'another order',
        ['a', 'c', 'b', 'd'],
        /lists "b" after "c".*directory buckets.*--keys-from/,
      ],
      ['UTF-16 order', ['\u{1f600}', '\uff21'], /lists "\uff21" after "\u{1f600}"/u],
      ['a folder of a console', ['b/', 'a/'], /lists "a\/" after "b\/"/],
      ['a key twice', ['a', 'a', 'b'], /lists "a" twice.*--keys-from/],
      ['names that are not UTF-8', ['a\ufffd', 'a\ufffd'], /twice: .* not UTF-8. Rename them/],
    ])('%s', async (_, names, message) => {
      const { seen, error } = await listed(...names);
      expect(error).toMatchObject({
        name: 'UserError',
        message: expect.stringMatching(message),
      });
      expect((error as Error).message).toMatch(/^s3:\/\/photos--x-s3 lists [^\n]+$/);
      expect(seen.length).toBeLessThan(names.length);
    });

    test('and what is in order is not', async () => {
      expect(await listed('A', 'a', 'a/b', 'a0', '\uff21', '\u{1f600}')).toMatchObject({
        error: undefined,
        seen: { length: 6 },
      });
    });
  });

  describe('is limited', () => {
    beforeEach(() => put('1.txt', '2.jpg', '3.txt', '4.jpg', '5.jpg', '6.txt'));

    test('to the first images, where what is skipped does not count', async () => {
      expect(keys(await collect(store, { limit: 2 }))).toEqual([
        '1.txt',
        '2.jpg',
        '3.txt',
        '4.jpg',
      ]);
    });

    test('to all there are, where that is fewer', async () => {
      expect(await collect(store, { limit: 99 })).toHaveLength(6);
    });

    test('after the globs', async () => {
      expect(keys(await collect(store, { limit: 1, include: ['5*', '6*'] }))).toEqual(['5.jpg']);
    });
  });

  describe('is sampled', () => {
    const names = Array.from({ length: 12 }, (_, n) => `${String(n).padStart(2, '0')}.jpg`);
    const sampled = async (images: number, seed: number) =>
      keys(await collect(store, { sample: { images, seed } }));
    beforeEach(() => put(...names, 'notes.txt'));

    test('without repetition, in the order of the listing, and without what is skipped', async () => {
      for (let seed = 0; seed < 20; seed++) {
        const sample = await sampled(5, seed);
        expect(new Set(sample).size).toBe(5);
        expect(sample).toEqual(sample.toSorted());
        expect(sample).not.toContain('notes.txt');
      }
    });

    test('to the same images for the same seed, and to others for another', async () => {
      expect(await sampled(5, 7)).toEqual(await sampled(5, 7));
      expect(await sampled(5, 7)).not.toEqual(await sampled(5, 8));
    });

    test('to all there are, where that is fewer', async () => {
      expect(await sampled(99, 1)).toEqual(names);
    });
  });

  test('of nothing is empty', async () => {
    expect(await collect(store)).toEqual([]);
    expect(await collect(store, { sample: { images: 3, seed: 1 } })).toEqual([]);
  });
});

test('every image has the same chance to be in a sample', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-listing-'));
  const list = join(folder, 'keys.txt');
  const names = Array.from({ length: 10 }, (_, n) => `${n}.jpg`);
  await writeFile(list, names.join('\n'));
  const store = await openStore(pathToFileURL(folder).href);
  const counts = new Map(names.map((name) => [name, 0]));
  const draws = 1_000;
  for (let seed = 0; seed < draws; seed++) {
    const sample = await collect(store, { keysFrom: list, sample: { images: 3, seed } });
    for (const { key } of sample) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  await rm(folder, { recursive: true });
  // Binomial(1000, 0.3): mean 300, standard deviation 14.5. Four of them hold for ten counts.
  for (const [name, count] of counts) expect(Math.abs(count - 300), name).toBeLessThan(58);
});

describe('a bucket', () => {
  let s3: S3Server;
  let store: ObjectStore;

  beforeAll(async () => {
    s3 = await startS3();
    store = await openStore(s3.createBucket('listing'), s3.config);
    for (const key of [
      ...['in/', 'in/a.jpg', 'in/sub/', 'in/sub_$folder$', 'in/full/'],
      ...['/in/slash.jpg', 'in2/.b.jpg'],
    ]) {
      await store.put(key, Buffer.from(key === 'in/a.jpg' || key === 'in/full/' ? 'x' : ''));
    }
  });
  afterAll(async () => {
    store?.close();
    await s3?.stop();
  });

  test('is listed without the empty objects that consoles make for folders', async () => {
    expect(keys(await collect(store, {}, { prefix: 'in/' }))).toEqual(['in/a.jpg', 'in/full/']);
  });

  test('is listed by prefix, not by folder', async () => {
    expect(keys(await collect(store, {}, { prefix: 'in' }))).toContain('in2/.b.jpg');
  });

  test('may have keys that begin with a slash, which globs see as well', async () => {
    expect(keys(await collect(store, { include: ['slash.*'] }))).toEqual(['/in/slash.jpg']);
  });

  test('may have names that begin with a dot, which are names like any other', async () => {
    expect(keys(await collect(store, { include: ['*b.jpg'] }))).toEqual(['in2/.b.jpg']);
  });
});
