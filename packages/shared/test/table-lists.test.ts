import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { listImages } from '@cutline/shared/listing';
import type { ImageRef, Selection } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** What lists of keys look like when they come from spreadsheets and catalogues. */

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-tables-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const everything = { include: [], exclude: [], limit: null, sample: null };

async function read(
  name: string,
  content: string | Buffer,
  wanted: Partial<Selection> = {},
): Promise<ImageRef[]> {
  const keysFrom = join(folder, name);
  await writeFile(keysFrom, content);
  const images: ImageRef[] = [];
  const source = { store: new MemoryStore('s3://archive'), prefix: '' };
  for await (const image of listImages(source, { ...everything, ...wanted, keysFrom })) {
    images.push(image);
  }
  return images;
}

const keys = (images: readonly ImageRef[]) => images.map(({ key }) => key);

describe('a table', () => {
  test.each([
    ['semicolons', 'list.csv', 'id;key;title\r\n1;a;"Hund; Katze"\r\n2;b,1.jpg;x\r\n'],
    ['semicolons that its first line names', 'list.csv', 'sep=;\r\nkey;n\r\na;1\r\nb,1.jpg;2\r\n'],
    ['tabs', 'list.csv', 'id\tkey\n1\ta\n2\tb,1.jpg\n'],
    ['commas', 'list.csv', 'id,"Key"\n1,a\n2,"b,1.jpg"\n'],
    ['a head, whatever its name', 'export.dat', '"key","title"\r\na,A\r\n"b,1.jpg",B\r\n'],
    ['a last line without an end', 'list.csv', 'key,title\na,A\n"b,1.jpg","B"'],
    ['a byte order mark', 'list.csv', '\ufeffkey;title\r\na;A\r\nb,1.jpg;B\r\n'],
  ])('may have %s', async (_, name, text) => {
    expect(keys(await read(name, text))).toEqual(['a', 'b,1.jpg']);
  });

  test('may be what spreadsheets call Unicode text', async () => {
    const text = Buffer.from('\ufeffkey\ttitle\r\nä/ü.jpg\tBär\r\n', 'utf16le');
    expect(await read('list.txt', text, { carry: ['title'] })).toEqual([
      { key: 'ä/ü.jpg', etag: null, bytes: null, source: { title: 'Bär' } },
    ]);
  });

  test('has its keys in the column that is named', async () => {
    const table = 'Signatur;Datei\nA 1;a.jpg\n';
    expect(keys(await read('list.csv', table, { keyColumn: 'datei' }))).toEqual(['a.jpg']);
    await expect(read('list.csv', 'Signatur,Datei\n', { keyColumn: 'file' })).rejects.toThrow(
      /no column "file", which --key-column names: its columns are Signatur, Datei\.$/,
    );
  });

  test('with semicolons and no head that says so is refused: it could be either', async () => {
    await expect(read('list.csv', 'a.jpg;A\nb.jpg;B\n')).rejects.toThrow(
      /has semicolons, and no head that says where its keys are: .*call it \.txt\.$/,
    );
    expect(keys(await read('list.txt', 'a;b.jpg\n'))).toEqual(['a;b.jpg']);
  });

  test('that is not in UTF-8 is refused: its accents would be lost', async () => {
    const latin1 = Buffer.from('key;title\nM\xfcller.jpg;x\n', 'latin1');
    await expect(read('list.csv', latin1)).rejects.toThrow(/is not in UTF-8: save it as UTF-8/);
  });

  test.each([
    ['a workbook', 'list.xlsx', 'PK\u0003\u0004…', /is a workbook or a zip file: save it as CSV/],
    ['ORC', 'list.orc', 'ORC…', /is an ORC file, .*: make it Parquet or CSV\.$/],
    [
      'text called Parquet',
      'list.parquet',
      'a.jpg\n',
      /is not a Parquet file: it begins otherwise/,
    ],
  ])('that is %s is refused by what it is', async (_, name, content, message) => {
    await expect(read(name, content)).rejects.toThrow(message);
  });

  test('is decompressed by its content, and refused where it is cut off', async () => {
    const whole = gzipSync(`key,title\n${'a.jpg,x\n'.repeat(50_000)}`);
    expect(await read('list.csv', whole)).toHaveLength(50_000);
    await expect(read('list.csv', whole.subarray(0, -9))).rejects.toThrow(
      /list\.csv cannot be read: unexpected end of file\.$/,
    );
  });
});

describe('what is carried', () => {
  const table = 'id;key;titel;leer\n1;a.jpg;Bär;\n2;b.jpg;;\n';

  test('goes along under the names that were asked for', async () => {
    expect(await read('list.csv', table, { carry: ['ID', 'titel', 'leer'] })).toEqual([
      { key: 'a.jpg', etag: null, bytes: null, source: { ID: '1', titel: 'Bär' } },
      { key: 'b.jpg', etag: null, bytes: null, source: { ID: '2' } },
    ]);
  });

  test('goes along with what is skipped, and with repeats, each as its own row says', async () => {
    const repeats = 'id,key\n1,a.jpg\n2,a.jpg\n3,a.txt\n';
    const images = await read('list.csv', repeats, { carry: ['id'] });
    expect(images.map(({ skipped, source }) => [skipped, source?.id])).toEqual([
      [undefined, '1'],
      ['duplicate', '2'],
      ['not-an-image', '3'],
    ]);
  });

  test('that no table has is named, with those that there are', async () => {
    await expect(read('list.csv', table, { carry: ['id', 'title'] })).rejects.toThrow(
      /no column "title", which --carry asks for: its columns are id, key, titel, leer\.$/,
    );
  });

  test('may be missing in some objects, but not in the first thousand', async () => {
    const line = (i: number) => JSON.stringify({ key: `${i}.jpg`, ...(i === 900 && { id: i }) });
    const lines = Array.from({ length: 2_000 }, (_, i) => `${line(i)}\n`).join('');
    const images = await read('list.jsonl', lines, { carry: ['id'] });
    expect(images).toHaveLength(2_000);
    expect(images[900]?.source).toEqual({ id: '900' });
    await expect(read('list.jsonl', lines, { carry: ['title'] })).rejects.toThrow(
      /no column "title", which --carry asks for: its columns are key, id\.$/,
    );
    await expect(read('list.txt', 'a.jpg\n', { carry: ['id'] })).rejects.toThrow(
      /names no columns/,
    );
  });

  test('is text, exactly: a number that has lost digits is refused', async () => {
    const carry = ['id'];
    const exact = '{"filename":"a.jpg","id":9007199254740991}\n{"key":"b.jpg","id":{"a":[1]}}\n';
    expect((await read('list.jsonl', exact, { carry })).map(({ source }) => source?.id)).toEqual([
      '9007199254740991',
      '{"a":[1]}',
    ]);
    const large = '{"key":"a.jpg","id":90071992547409931}\n';
    await expect(read('list.jsonl', large, { carry })).rejects.toThrow(
      /list\.jsonl, line 1: id is the number .* too large to be exact: write it as a text/,
    );
  });

  test('is bounded: more than 2 KB a row are refused with its line', async () => {
    const long = `id,key,text\n1,a.jpg,${'x'.repeat(2_000)}\n2,b.jpg,${'ü'.repeat(1_100)}\n`;
    expect((await read('list.csv', long, { carry: ['id'] })).length).toBe(2);
    await expect(read('list.csv', long, { carry: ['text'] })).rejects.toThrow(
      /list\.csv, line 3: what --carry asks for has 2211 bytes; at most 2048 of a row go along/,
    );
  });
});
