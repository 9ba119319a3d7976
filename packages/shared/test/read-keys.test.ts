import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { listImages, requireKeysList } from '@cutline/shared/listing';
import type { ImageRef } from '@cutline/shared/run';
import { MemoryStore, type ObjectStore, openStore, StorePool } from '@cutline/shared/stores';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type S3Server, startS3 } from '../../../test/support/s3-server.ts';

/** Lists of keys, as `--keys-from` takes them. */

let folder: string;
let source: ObjectStore;
let s3: S3Server;

beforeAll(async () => {
  s3 = await startS3();
  source = await openStore(s3.createBucket('archive'), s3.config);
});
afterAll(async () => {
  source?.close();
  await s3?.stop();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-keys-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function read(keysFrom: string, stores?: StorePool, columns?: string[]): Promise<ImageRef[]> {
  const images: ImageRef[] = [];
  const selection = { keysFrom, columns, include: [], exclude: [], limit: null, sample: null };
  for await (const image of listImages({ store: source, prefix: '' }, selection, { stores })) {
    images.push(image);
  }
  return images;
}

/** What a list of that name and content gives. */
async function readList(name: string, content: string | Buffer): Promise<ImageRef[]> {
  const path = join(folder, name);
  await writeFile(path, content);
  return read(path);
}

const keys = (images: readonly ImageRef[]) => images.map(({ key }) => key);

describe('plain lines', () => {
  test('are keys, just as they are', async () => {
    const odd = [
      'a b.jpg',
      ' leading',
      '/slash.jpg',
      'a,b.jpg',
      'ü+%2F.jpg',
      "it's.jpg",
      'x"y.jpg',
    ];
    const images = await readList('list.txt', odd.map((key) => `${key}\n`).join(''));
    expect(images).toEqual(odd.map((key) => ({ key, etag: null, bytes: null })));
  });

  test('may end as Windows ends them, and the last one not at all', async () => {
    expect(keys(await readList('list.txt', 'a.jpg\r\nb.jpg\r\n\r\nc.jpg'))).toEqual([
      'a.jpg',
      'b.jpg',
      'c.jpg',
    ]);
  });

  test('may begin with a byte order mark', async () => {
    expect(keys(await readList('list.txt', '\ufeffa.jpg\nb.jpg\n'))).toEqual(['a.jpg', 'b.jpg']);
  });

  test('may have letters that fall on the border of two reads', async () => {
    // Files are read in pieces of 64 KiB; each line here has 3 bytes, which 65,536 is no multiple of.
    const images = await readList('list.txt', 'ü\n'.repeat(30_000));
    expect(images).toHaveLength(30_000);
    expect(images.every(({ key }) => key === 'ü')).toBe(true);
  });

  test('of an empty list are none', async () => {
    expect(await readList('list.txt', '')).toEqual([]);
    expect(await readList('list.txt', '\n  \n')).toEqual([]);
  });
});

describe('JSON Lines', () => {
  test('are objects with a key, or strings', async () => {
    const images = await readList(
      'list.jsonl',
      '{"key":"a \\"b\\".jpg"}\n"c.jpg"\n\n{"key":"d.jpg","etag":"e1","bytes":12,"title":"D"}\n',
    );
    expect(images).toEqual([
      { key: 'a "b".jpg', etag: null, bytes: null },
      { key: 'c.jpg', etag: null, bytes: null },
      { key: 'd.jpg', etag: 'e1', bytes: 12 },
    ]);
  });

  test('may be the rows of another run', async () => {
    const row = { key: 'a.jpg', etag: null, status: 'failed', failure: { class: 'corrupt' } };
    expect(await readList('rows.jsonl', `${JSON.stringify(row)}\n`)).toEqual([
      { key: 'a.jpg', etag: null, bytes: null },
    ]);
  });

  test('are known by their first character, whatever the name of the file', async () => {
    expect(keys(await readList('list', '\ufeff{"key":"a.jpg"}\nb.jpg\n'))).toEqual([
      'a.jpg',
      'b.jpg',
    ]);
  });

  test.each([
    ['cut off', '{"key":"b.jpg"'],
    ['without a key', '{"name":"b.jpg"}'],
    ['with an empty key', '{"key":""}'],
    ['with a number for a key', '{"key":7}'],
    ['that is an empty string', '""'],
  ])('%s are refused with their number', async (_, line) => {
    await expect(readList('list.jsonl', `"a.jpg"\n\n${line}\n`)).rejects.toThrow(
      /list\.jsonl, line 3: expected \{"key": "…"\} or a string, found /,
    );
  });
});

describe('CSV', () => {
  test('has its keys in the column of that name', async () => {
    const images = await readList(
      'list.csv',
      'title,Key,year\n"Dogs, two",a/1.jpg,1923\n"He said ""sit""","b, 2.jpg",1924\n',
    );
    expect(keys(images)).toEqual(['a/1.jpg', 'b, 2.jpg']);
  });

  test.each([
    ['title,Filename\nDogs,a.jpg\n', 'a.jpg'],
    ['path,title\nb.jpg,Dogs\n', 'b.jpg'],
    ['path,filename,key\n/mnt/c.jpg,c.jpg,archive/c.jpg\n', 'archive/c.jpg'],
  ])('has its keys in a column of another usual name: %j', async (text, key) => {
    expect(keys(await readList('list.csv', text))).toEqual([key]);
  });

  test('has its keys in the first column, where none is named', async () => {
    expect(keys(await readList('list.csv', 'a.jpg,1923\nb.jpg,1924\n'))).toEqual([
      'a.jpg',
      'b.jpg',
    ]);
  });

  test('may have line breaks in quotes, empty lines, short rows and a byte order mark', async () => {
    const images = await readList(
      'list.csv',
      '\ufeffkey,note\r\n"a.jpg","two\nlines"\r\n\r\nb.jpg\r\n,no key\r\n',
    );
    expect(keys(images)).toEqual(['a.jpg', 'b.jpg']);
  });

  test('that is broken is refused with its line', async () => {
    await expect(readList('list.csv', 'key\na.jpg\n"b.jpg\n')).rejects.toThrow(
      /list of keys .*list\.csv cannot be read: .* line 3/,
    );
  });

  test('with tabs is one without quotes', async () => {
    expect(keys(await readList('list.tsv', 'id\tkey\n1\ta, "b".jpg\n2\t"c.jpg\n'))).toEqual([
      'a, "b".jpg',
      '"c.jpg',
    ]);
  });
});

describe('keys', () => {
  test('that are named again are marked', async () => {
    expect(await readList('list.txt', 'a.jpg\nb.jpg\na.jpg\ns3://archive/b.jpg\n')).toEqual([
      { key: 'a.jpg', etag: null, bytes: null },
      { key: 'b.jpg', etag: null, bytes: null },
      { key: 'a.jpg', etag: null, bytes: null, skipped: 'duplicate' },
      { key: 'b.jpg', etag: null, bytes: null, skipped: 'duplicate' },
    ]);
  });

  test('may be whole URLs of the source', async () => {
    expect(keys(await readList('list.txt', 's3://archive/a b/ü%20.jpg\n'))).toEqual([
      'a b/ü%20.jpg',
    ]);
  });

  test('in another bucket are refused: they would all be missing', async () => {
    await expect(readList('list.csv', 'key\na.jpg\ns3://other/a.jpg\n')).rejects.toThrow(
      /list\.csv, line 3: s3:\/\/other\/a\.jpg is not in s3:\/\/archive/,
    );
  });
});

describe('a list', () => {
  test('may be in another bucket, which is opened as the program opens its stores', async () => {
    const stores = new StorePool(s3.config); // no environment says where that server is
    const lists = await stores.open(s3.createBucket('lists'));
    await lists.put('keys.csv', Buffer.from('key\na.jpg\n'));
    expect(keys(await read('s3://lists/keys.csv', stores))).toEqual(['a.jpg']);
    await requireKeysList({ from: 's3://lists/keys.csv', source, stores });
    const missing = requireKeysList({ from: 's3://lists/none.csv', source, stores });
    await expect(missing).rejects.toThrow(/exist/);
    await stores.close();
  });

  test('of many keys from a store comes in pieces, and so do its characters', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => `東京/写真 ${i}.jpg`);
    await source.put('lists/many.txt', Buffer.from(rows.join('\r\n')));
    expect(keys(await read('s3://archive/lists/many.txt'))).toEqual(rows);
  });

  test.each(['list.txt', 'list.jsonl', 'list.csv', 'list.tsv'])(
    'whose line is endless is refused with its number: %s',
    async (name) => {
      const startedMs = performance.now();
      const long = Buffer.alloc(60_000_000, 'x');
      const content = Buffer.concat([Buffer.from('"a.jpg"\n'), Buffer.from('"'), long]);
      await expect(readList(name, content)).rejects.toThrow(
        name.endsWith('sv')
          ? /list\.[ct]sv cannot be read: .*65536.* line 2/
          : /, line 2: longer than 64 KB/,
      );
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    },
  );

  test('may have lines up to 64 KB', async () => {
    const row = `{"key":"a.jpg","note":"${'x'.repeat(65_000)}"}`;
    expect(keys(await readList('list.jsonl', `${row}\n${row.replace('a.jpg', 'b.jpg')}`))).toEqual([
      'a.jpg',
      'b.jpg',
    ]);
    await expect(readList('list.jsonl', `\n${row}${' '.repeat(600)}\n`)).rejects.toThrow(/line 2/);
  });

  test('may be in the source', async () => {
    await source.put('lists/keys.jsonl', Buffer.from('"a.jpg"\n'));
    expect(keys(await read('s3://archive/lists/keys.jsonl'))).toEqual(['a.jpg']);
  });

  test.each([
    ['that is not there', 'missing.txt', /missing\.txt cannot be read: there is no such file/],
    ['that is a folder', '.', /cannot be read: it is a folder\.$/],
  ])('%s is refused in one line', async (_, name, message) => {
    const error = await read(join(folder, name)).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ name: 'UserError', message: expect.stringMatching(message) });
    expect(error?.message).not.toContain('\n');
  });

  test('that is not in its bucket is refused by its name', async () => {
    await expect(read('s3://archive/missing.csv')).rejects.toThrow(/missing\.csv.* does not exist/);
  });
});

describe('a list that is compressed', () => {
  test('with gzip is read as what is in it, from a file and from a store', async () => {
    const csv = zlib.gzipSync('title,key\nx,a.jpg\ny,b.jpg\n');
    expect(keys(await readList('list.csv.gz', csv))).toEqual(['a.jpg', 'b.jpg']);
    await source.put('lists/list.csv.gz', csv);
    expect(keys(await read('s3://archive/lists/list.csv.gz'))).toEqual(['a.jpg', 'b.jpg']);
  });

  test('and cut off is refused: keys would be missing', async () => {
    const whole = zlib.gzipSync('a.jpg\nb.jpg\n');
    await expect(readList('list.txt.gz', whole.subarray(0, whole.length - 9))).rejects.toThrow(
      /The list of keys .*list\.txt\.gz cannot be read: unexpected end of file/,
    );
  });

  test('with Zstandard is read where Node.js can, and else told how', async () => {
    // "a.jpg\nb.jpg\n", by zstd 1.5
    const bytes = Buffer.from('KLUv/QRYYQAAYS5qcGcKYi5qcGcKLRl6OQ==', 'base64');
    const images = readList('list.txt.zst', bytes);
    if ('createZstdDecompress' in zlib) expect(keys(await images)).toEqual(['a.jpg', 'b.jpg']);
    else
      await expect(images).rejects.toThrow(/Zstandard, .* zstd -dc … \| cutline … --keys-from -/);
  });
});

test('of a list in a store only the head is read to see what it is, and all is read once', async () => {
  const store = new MemoryStore(source.url);
  await store.put('keys.txt', Buffer.from(`${'x'.repeat(1000)}\n`.repeat(20_000)));
  const gets: unknown[] = [];
  const get = store.get.bind(store);
  store.get = (key, options) => {
    gets.push(options?.range);
    return get(key, options);
  };
  const from = `${source.url}/keys.txt`;
  const kb256 = 256 * 1024;
  await requireKeysList({ from, source: store });
  expect(gets.splice(0)).toEqual([{ start: 0, end: kb256 }]);
  const selection = { keysFrom: from, include: [], exclude: [], limit: null, sample: null };
  let images = 0;
  for await (const { skipped } of listImages({ store, prefix: '' }, selection)) {
    expect(skipped).toBe(images === 0 ? undefined : 'duplicate');
    images += 1;
  }
  expect(images).toBe(20_000);
  const mb8 = 8 * 1024 * 1024;
  expect(gets).toEqual([
    { start: 0, end: kb256 },
    { start: kb256, end: kb256 + mb8 },
    { start: kb256 + mb8, end: kb256 + 2 * mb8 },
    { start: kb256 + 2 * mb8, end: 20_020_000 },
  ]);
});

describe('columns that are asked for', () => {
  const readWith = async (name: string, content: string) => {
    const path = join(folder, name);
    await writeFile(path, content);
    return read(path, undefined, ['Title', 'year']);
  };

  test('come along from a table, whatever their case, where they say something', async () => {
    const table = 'Year,key,title,note\n1923,a.jpg,"The mill, at dusk",x\n,b.jpg,,y\n';
    expect(await readWith('list.csv', table)).toEqual([
      {
        key: 'a.jpg',
        etag: null,
        bytes: null,
        columns: { Title: 'The mill, at dusk', year: '1923' },
      },
      { key: 'b.jpg', etag: null, bytes: null },
    ]);
  });

  test('come along from objects, as text', async () => {
    const lines = '{"key":"a.jpg","Title":"Mill","year":1923,"note":1}\n"b.jpg"\nc.jpg\n';
    expect((await readWith('list.jsonl', lines)).map(({ columns }) => columns)).toEqual([
      { Title: 'Mill', year: '1923' },
      undefined,
      undefined,
    ]);
  });

  test('that a table does not have are named', async () => {
    await expect(readWith('list.csv', 'key,title\na.jpg,Mill\n')).rejects.toThrow(
      /list\.csv has no column "year", .*: its columns are key, title\./,
    );
    await expect(readWith('list.csv', 'a.jpg,Mill\n')).rejects.toThrow(/it names no columns/);
  });
});
