import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom } from '@cutline/captioner';
import { listImages } from '@cutline/shared/listing';
import type { ImageRef, Selection } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parquetBytes } from './support/parquet-bytes.ts';

/** Lists of keys in Parquet. */

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-parquet-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const everything = { include: [], exclude: [], limit: null, sample: null };

async function read(
  bytes: Uint8Array,
  wanted: Partial<Selection> = {},
  name = 'list.parquet',
): Promise<ImageRef[]> {
  const keysFrom = join(folder, name);
  await writeFile(keysFrom, bytes);
  const images: ImageRef[] = [];
  const source = { store: new MemoryStore('s3://archive'), prefix: '' };
  for await (const image of listImages(source, { ...everything, ...wanted, keysFrom })) {
    images.push(image);
  }
  return images;
}

const rows = 2_500;
const keyOf = (i: number) => `box ${i % 7}/ü-${i}.jpg`;
const table = () =>
  parquetBytes([
    {
      name: 'id',
      data: Array.from({ length: rows }, (_, i) => BigInt(i) + 2n ** 60n),
      type: 'INT64',
    },
    { name: 'Key', data: Array.from({ length: rows }, (_, i) => keyOf(i)), type: 'STRING' },
    { name: 'title', data: Array.from({ length: rows }, (_, i) => (i % 3 ? `No. ${i}` : null)) },
    { name: 'when', data: Array.from({ length: rows }, () => new Date(0)), type: 'TIMESTAMP' },
  ]);

describe('a list in Parquet', () => {
  test('has its keys in the column that is called so, over all row groups', async () => {
    const images = await read(table());
    expect(images.map(({ key }) => key)).toEqual(Array.from({ length: rows }, (_, i) => keyOf(i)));
    expect(images[0]).toEqual({ key: keyOf(0), etag: null, bytes: null });
  });

  test('carries columns of any type as texts, exactly', async () => {
    const images = await read(table(), { carry: ['id', 'title', 'when'] });
    expect(images[0]?.source).toEqual({
      id: '1152921504606846976',
      when: '1970-01-01T00:00:00.000Z',
    });
    expect(images[2_405]?.source).toMatchObject({ id: '1152921504606849381', title: 'No. 2405' });
  });

  test('is known by its content, whatever its name', async () => {
    expect(await read(table(), {}, 'list')).toHaveLength(rows);
  });

  test('has its keys in the column that is named, or in the only one', async () => {
    const odd = parquetBytes([
      { name: 'objekt', data: ['a.jpg'] },
      { name: 'titel', data: ['A'] },
    ]);
    expect((await read(odd, { keyColumn: 'Objekt' }))[0]?.key).toBe('a.jpg');
    await expect(read(odd)).rejects.toThrow(/--key-column; its columns are objekt, titel\.$/);
    await expect(read(odd, { keyColumn: 'id' })).rejects.toThrow(
      /no column "id", which --key-column names: its columns are objekt, titel\.$/,
    );
    expect((await read(parquetBytes([{ name: 'objekt', data: ['a.jpg'] }])))[0]?.key).toBe('a.jpg');
  });

  test('without a column that is to be carried is refused', async () => {
    await expect(read(table(), { carry: ['id', 'signature'] })).rejects.toThrow(
      /no column "signature", which --carry asks for: its columns are id, Key, title, when\.$/,
    );
  });

  test('whose keys are no texts is refused with its row', async () => {
    const numbers = parquetBytes([{ name: 'key', data: [7, 8], type: 'INT32' }]);
    await expect(read(numbers)).rejects.toThrow(
      /list\.parquet, row 1: the key is no text, but 7\.$/,
    );
  });
});

describe('one that is damaged', () => {
  const damage = (at: number, bytes: readonly number[]) => {
    const whole = table();
    whole.set(bytes, at < 0 ? whole.length + at : at);
    return whole;
  };

  test.each<[string, () => Uint8Array]>([
    ['is cut off', () => table().subarray(0, 20_000)],
    ['is empty but for its mark', () => Buffer.from('PAR1')],
    ['has a footer of 4 GB', () => damage(-8, [0xff, 0xff, 0xff, 0xff])],
    ['has a footer that is longer than it', () => damage(-8, [0, 0, 0xff, 0])],
    ['has a footer of nothing', () => damage(-8, [0, 0, 0, 0])],
  ])('since it %s is refused in one line', async (_, bytes) => {
    const error: Error = await read(bytes()).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ name: 'UserError' });
    expect(error.message).toMatch(
      /^The list of keys .*list\.parquet is Parquet that cannot be read: /,
    );
    expect(error.message).not.toContain('\n');
  });

  test('somewhere is refused in one line, or has its keys: it takes no memory that it has not', async () => {
    const random = createRandom(13);
    const whole = parquetBytes([
      { name: 'key', data: Array.from({ length: 400 }, (_, i) => keyOf(i)) },
      { name: 'id', data: Array.from({ length: 400 }, (_, i) => (i % 5 ? `id ${i % 9}` : null)) },
    ]);
    let refused = 0;
    for (let n = 0; n < 300; n++) {
      const bytes = Buffer.from(whole);
      for (let k = 0; k < 3; k++) bytes[Math.floor(random() * bytes.length)] = random() * 256;
      const found = await read(bytes, { carry: ['id'] }).catch((error: unknown) => error);
      if (Array.isArray(found)) continue;
      expect(found).toMatchObject({ name: 'UserError' });
      expect((found as Error).message).not.toContain('\n');
      refused += 1;
    }
    expect(refused).toBeGreaterThan(30);
  });
});
