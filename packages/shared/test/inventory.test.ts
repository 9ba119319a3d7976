import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { listImages, requireKeysList } from '@cutline/shared/listing';
import type { ImageRef, Selection } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';
import { parquetBytes } from './support/parquet-bytes.ts';

/** S3 Inventory as the listing: `--keys-from s3://…/manifest.json`. */

const etag = (n: number) => `${n}`.repeat(32);
const schema =
  'Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, ' +
  'IntelligentTieringAccessTier';

/** Rows as S3 writes them: keys as in URLs, everything in quotes. */
const csv = (...rows: string[][]) =>
  gzipSync(
    rows
      .map(
        ([
          key = '',
          isLatest = 'true',
          isMarker = 'false',
          size = '',
          tag = '',
          place = '',
          tier = '',
        ]) =>
          `${[
            'archive',
            key,
            'v1',
            isLatest,
            isMarker,
            size,
            '2026-11-20T01:02:03.000Z',
            tag,
            place,
            tier,
          ]
            .map((cell) => `"${cell}"`)
            .join(',')}\n`,
      )
      .join(''),
  );

let source: MemoryStore;
let destination: MemoryStore;
beforeEach(() => {
  source = new MemoryStore('s3://archive');
  destination = new MemoryStore('s3://inventories');
});

const stores = {
  open: async (url: string) => {
    if (url !== destination.url) throw new Error(`${url} is not to be opened`);
    return destination;
  },
};
const from = 's3://inventories/archive/all/2026-11-20T01-00Z/manifest.json';
const manifestKey = from.slice('s3://inventories/'.length);

async function putInventory(
  files: Record<string, Uint8Array>,
  said: Record<string, unknown> = {},
): Promise<void> {
  const listed = [];
  for (const [key, bytes] of Object.entries(files)) {
    await destination.put(key, bytes);
    const MD5checksum = createHash('md5').update(bytes).digest('hex');
    listed.push({ key, size: bytes.length, MD5checksum });
  }
  const manifest = {
    ...{ sourceBucket: 'archive', destinationBucket: 'arn:aws:s3:::inventories' },
    ...{ version: '2016-11-30', creationTimestamp: '1763600000000' },
    ...{ fileFormat: 'CSV', fileSchema: schema, files: listed, ...said },
  };
  await destination.put(manifestKey, Buffer.from(JSON.stringify(manifest, null, 2)));
}

async function read(wanted: Partial<Selection> = {}, prefix = ''): Promise<ImageRef[]> {
  const images: ImageRef[] = [];
  const selection = { include: [], exclude: [], limit: null, sample: null, ...wanted };
  for await (const image of listImages(
    { store: source, prefix },
    { ...selection, keysFrom: from },
    { stores },
  )) {
    images.push(image);
  }
  return images;
}

describe('an inventory in CSV', () => {
  test('lists what a listing would, with all that it says', async () => {
    await putInventory({
      'data/1.csv.gz': csv(
        ['a/b+c%2B%C3%BC%2520.jpg', 'true', 'false', '12', etag(1), 'STANDARD'],
        ['old.jpg', 'false', 'false', '12', etag(2), 'STANDARD'],
        ['gone.jpg', 'true', 'true', '', '', ''],
        ['folder/', 'true', 'false', '0', etag(3), 'STANDARD'],
        ['notes.txt', 'true', 'false', '5', etag(4), 'STANDARD'],
      ),
      'data/2.csv.gz': csv(
        ['glacier.jpg', 'true', 'false', '7', etag(5), 'GLACIER'],
        ['deep.jpg', 'true', 'false', '7', `${etag(6)}-2`, 'DEEP_ARCHIVE'],
        ['instant.jpg', 'true', 'false', '7', etag(7), 'GLACIER_IR'],
        ['tier.jpg', 'true', 'false', '7', etag(8), 'INTELLIGENT_TIERING', 'ARCHIVE'],
        [
          'near.jpg',
          'true',
          'false',
          '7',
          etag(9),
          'INTELLIGENT_TIERING',
          'ARCHIVE_INSTANT_ACCESS',
        ],
        ['glacier.jpg', 'true', 'false', '7', etag(5), 'GLACIER'],
      ),
    });
    expect(await read()).toEqual([
      { key: 'a/b c+ü%20.jpg', etag: etag(1), bytes: 12 },
      { key: 'notes.txt', etag: etag(4), bytes: 5, skipped: 'not-an-image' },
      { key: 'glacier.jpg', etag: etag(5), bytes: 7, skipped: 'archived' },
      { key: 'deep.jpg', etag: `${etag(6)}-2`, bytes: 7, skipped: 'archived' },
      { key: 'instant.jpg', etag: etag(7), bytes: 7 },
      { key: 'tier.jpg', etag: etag(8), bytes: 7, skipped: 'archived' },
      { key: 'near.jpg', etag: etag(9), bytes: 7 },
      { key: 'glacier.jpg', etag: etag(5), bytes: 7, skipped: 'duplicate' },
    ]);
  });

  test('without old versions, sizes and ETags lists keys', async () => {
    const file = gzipSync('"archive","a.jpg"\n"archive","b.jpg"\n');
    await putInventory({ 'data/1.csv.gz': file }, { fileSchema: 'Bucket, Key' });
    expect(await read()).toEqual([
      { key: 'a.jpg', etag: null, bytes: null },
      { key: 'b.jpg', etag: null, bytes: null },
    ]);
  });

  test('is read for what the run asks for: a prefix, columns', async () => {
    await putInventory({
      'data/1.csv.gz': csv(
        ['1920s/a.jpg', 'true', 'false', '1', etag(1), 'STANDARD'],
        ['1930s/b.jpg', 'true', 'false', '1', etag(2), 'STANDARD'],
      ),
    });
    const carry = ['LastModifiedDate', 'storage_class'];
    expect(await read({ carry }, '1930s/')).toEqual([
      {
        ...{ key: '1930s/b.jpg', etag: etag(2), bytes: 1 },
        source: { LastModifiedDate: '2026-11-20T01:02:03.000Z', storage_class: 'STANDARD' },
      },
    ]);
    await expect(read({ carry: ['Owner'] })).rejects.toThrow(/no column "Owner", .* Bucket, /);
  });
});

test('an inventory in Parquet says the same', async () => {
  await putInventory(
    {
      'data/1.parquet': parquetBytes([
        { name: 'bucket', data: ['archive', 'archive', 'archive', 'archive'] },
        { name: 'key', data: ['a%20b+ü.jpg', 'old.jpg', 'gone.jpg', 'tier.jpg'] },
        { name: 'version_id', data: ['v1', 'v1', 'v2', 'v1'] },
        { name: 'is_latest', data: [true, false, true, true] },
        { name: 'is_delete_marker', data: [false, false, true, false] },
        { name: 'size', data: [12n, 12n, null, 7n], type: 'INT64' },
        { name: 'e_tag', data: [etag(1), etag(2), null, etag(3)] },
        { name: 'storage_class', data: ['STANDARD', 'GLACIER', null, 'INTELLIGENT_TIERING'] },
        { name: 'intelligent_tiering_access_tier', data: [null, null, null, 'DEEP_ARCHIVE'] },
      ]),
    },
    { fileFormat: 'Parquet', fileSchema: 'message s3.inventory { … }' },
  );
  expect(await read()).toEqual([
    { key: 'a%20b+ü.jpg', etag: etag(1), bytes: 12 },
    { key: 'tier.jpg', etag: etag(3), bytes: 7, skipped: 'archived' },
  ]);
});

describe('an inventory is refused in one line, before a run is begun with it', () => {
  const check = () => requireKeysList({ from, source, stores });
  const files = { 'data/1.csv.gz': csv(['a.jpg', 'true', 'false', '1', etag(1), 'STANDARD']) };

  test('that is one of another bucket', async () => {
    await putInventory(files, { sourceBucket: 'other' });
    await expect(check()).rejects.toThrow(
      /manifest\.json is an inventory of s3:\/\/other, and this run's images are in s3:\/\/archive\.$/,
    );
  });

  test('in ORC', async () => {
    await putInventory(files, { fileFormat: 'ORC' });
    await expect(check()).rejects.toThrow(
      /is in ORC, .* configure the inventory to be CSV or Parquet/,
    );
  });

  test.each([
    ['that has no files', { files: undefined }],
    ['whose files have no checksum', { files: [{ key: 'a', size: 1 }] }],
  ])('%s', async (_, said) => {
    await putInventory(files, said);
    await expect(check()).rejects.toThrow(
      /manifest of an S3 Inventory, and is not as S3 writes it: /,
    );
  });

  test('without keys', async () => {
    await putInventory(files, { fileSchema: 'Bucket, Size' });
    await expect(check()).rejects.toThrow(/has no column of keys, but Bucket,/);
  });
});

describe('of its files, no key is taken', () => {
  test('where one is not as it was written', async () => {
    await putInventory({ 'data/1.csv.gz': csv(['a.jpg']) });
    await destination.put('data/1.csv.gz', csv(['b.jpg']));
    await expect(read()).rejects.toThrow(
      /data\/1\.csv\.gz is not as the inventory .* MD5 is [0-9a-f]+/,
    );
  });

  test('where one is gone', async () => {
    await putInventory({ 'data/1.csv.gz': csv(['a.jpg']) });
    await destination.delete('data/1.csv.gz');
    await expect(read()).rejects.toThrow(
      /names s3:\/\/inventories\/data\/1\.csv\.gz, .* not there/,
    );
  });

  test('where a row is none, after those before it', async () => {
    await putInventory({ 'data/1.csv.gz': csv(['a.jpg'], ['100%.jpg']) });
    await expect(read()).rejects.toThrow(
      /data\/1\.csv\.gz, line 2: expected a key as in URLs, found 100%/,
    );
  });
});
