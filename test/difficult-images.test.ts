import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FailureClass } from '@cutline/shared/errors';
import type { CaptionedRow, PartRow } from '@cutline/shared/run';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boats, difficultImages } from './support/difficult-images.ts';
import { accessDenied } from './support/fault-proxy.ts';
import { type Finished, type Pipeline, startPipeline } from './support/pipeline.ts';
import { expectToReconcile, type RunResults } from './support/run-results.ts';

/**
 * One run over a bucket with everything that archives have in store, all in one batch: each image
 * has its own outcome, and no other is harmed. Then the same files in a folder, in one process.
 */

let pipeline: Pipeline;
let folder: string;
let files: Map<string, Buffer>;
let ended: Finished;
let results: RunResults;
const rows = new Map<string, PartRow>();
let local: Finished;
const localRows = new Map<string, PartRow>();

/**
 * A row without what may differ: a folder has ETags of its own, and what libvips says of a damaged
 * image depends on what else it decodes at that moment.
 */
function comparable(row: PartRow): PartRow {
  if (row.status !== 'failed') return { ...row, etag: null };
  const message = row.failure.message.replace(/(?<=cannot be decoded: ).*/, '…');
  return { ...row, etag: null, failure: { ...row.failure, message } };
}

/** Where the listing shows one thing and the fetch finds another. */
const inBucketOnly = ['deleted.jpg', 'denied.jpg', 'replaced.jpg', '/leading slash.jpg'];

beforeAll(async () => {
  pipeline = await startPipeline({ model: 'shipped' });
  files = await difficultImages();
  folder = await mkdtemp(join(tmpdir(), 'cutline-difficult-'));
  for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);

  const photo = await boats();
  await pipeline.upload(files);
  await pipeline.upload(inBucketOnly.map((key) => [key, photo] as const));
  const { source, proxy } = pipeline;
  const beforeGet = (key: string, before: () => Promise<unknown>) =>
    proxy.add({ operation: 'get', key, does: { before } });
  beforeGet('deleted.jpg', () => source.delete('deleted.jpg'));
  beforeGet('replaced.jpg', async () => {
    await source.put('replaced.jpg', files.get('lying.jpg') as Buffer);
  });
  proxy.add({ operation: 'get', key: 'denied.jpg', does: accessDenied });

  await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
  ]);
  ended = await pipeline.cutline('run', 's3://archive', '--run', 'difficult');
  results = await pipeline.results('difficult');
  for (const row of results.rows) rows.set(row.key, row);
  local = await pipeline.cutline('caption', folder, '--json');
  for (const line of local.stdout.split('\n')) {
    const row: PartRow = JSON.parse(line);
    localRows.set(row.key, row);
  }
}, 240_000);

afterAll(async () => {
  await pipeline?.stop();
  await rm(folder, { recursive: true, force: true });
});

function captioned(key: string, of = rows): CaptionedRow {
  const row = of.get(key);
  expect(row, key).toMatchObject({ status: 'captioned' });
  return row as CaptionedRow;
}

test('the images are what they are meant to be', async () => {
  const header = (name: string) => sharp(files.get(name), { limitInputPixels: false }).metadata();
  expect(await header('animated.gif')).toMatchObject({ format: 'gif', pages: 2 });
  expect(await header('cmyk.jpg')).toMatchObject({ format: 'jpeg', space: 'cmyk' });
  expect(await header('grey16.tif')).toMatchObject({
    format: 'tiff',
    depth: 'ushort',
    channels: 1,
  });
  expect(await header('rotated.jpg')).toMatchObject({ format: 'jpeg', orientation: 6 });
  expect(await header('bomb.png')).toMatchObject({ format: 'png', width: 20_000, height: 20_000 });
  expect(files.get('bomb.png')?.length).toBeLessThan(1_000_000);
});

test('the run ends well, in one batch, with one row for each image', () => {
  expect(ended).toMatchObject({ code: 0 });
  expectToReconcile(results);
  expect(results.parts).toEqual(['000000.jsonl']);
  expect(rows.size).toBe(files.size + inBucketOnly.length);
  expect(results.summary?.failedByClass).toEqual({
    empty: 1,
    unsupported: 2,
    corrupt: 1,
    'too-large': 1,
    'not-found': 1,
    changed: 1,
    'access-denied': 1,
  });
});

test('the person who started it is told how many failed, and of what', () => {
  expect(ended.stdout).toMatch(/captioned +15 +\(blank 1\)$/m);
  expect(ended.stdout).toMatch(/skipped +2 +\(2 not a photograph\)$/m);
  expect(ended.stdout).toMatch(
    /failed +8 +\(empty 1, unsupported 2, corrupt 1, too-large 1, not-found 1, changed 1, access-denied 1\)$/m,
  );
});

test.each<[string, FailureClass, RegExp]>([
  ['empty.jpg', 'empty', /^the object has 0 bytes$/],
  ['truncated.jpg', 'corrupt', /^JPEG that cannot be decoded: /],
  ['text.jpg', 'unsupported', /^this seems to be text; JPEG, PNG, .* are accepted$/],
  ['drawing.svg', 'unsupported', /^this seems to be SVG; /],
  ['bomb.png', 'too-large', /^20000×20000 is 400000000 pixels; at most 200000000 are accepted$/],
  ['deleted.jpg', 'not-found', /^"s3:\/\/archive\/deleted\.jpg" does not exist\.$/],
  [
    'replaced.jpg',
    'changed',
    /^"s3:\/\/archive\/replaced\.jpg" was replaced: its ETag is \w+, not \w+\.$/,
  ],
  [
    'denied.jpg',
    'access-denied',
    /^"s3:\/\/archive\/denied\.jpg" may not be read: grant s3:GetObject on it\.$/,
  ],
])('%s fails as %s, with a reason', (key, failureClass, message) => {
  expect(rows.get(key)).toEqual({
    key,
    etag: expect.stringMatching(/^[0-9a-f]{32}$/), // as listed
    status: 'failed',
    failure: { class: failureClass, message: expect.stringMatching(message) },
  });
});

test.each(['notes.txt', 'letter'])('%s is no image, by its name or by its content', (key) => {
  expect(rows.get(key)).toMatchObject({ status: 'skipped', reason: 'not-an-image' });
  expect(localRows.get(key)).toEqual({ ...rows.get(key), etag: expect.any(String) });
});

describe('captioned is', () => {
  test.each([
    'with space.jpg',
    'a+b.jpg',
    '100%.jpg',
    '%2F%00.jpg',
    'q?x=1#f&amp;.jpg',
    'ünï 日本語 ⛵.jpg',
    'decomposed-u\u0308.jpg',
    '/leading slash.jpg',
  ])('an image whose key is %s, as under any other key', (key) => {
    const { key: _, ...rest } = captioned(key);
    const { key: __, ...upright } = captioned('upright.jpg');
    expect(rest).toEqual(upright);
  });

  test('a JPEG that EXIF says to turn, as the upright one, which the lying one is not', () => {
    const upright = captioned('upright.jpg');
    const rotated = captioned('rotated.jpg');
    const lying = captioned('lying.jpg');
    expect(rotated.caption).toBe(upright.caption);
    expect(rotated.score).toBeCloseTo(upright.score ?? Number.NaN, 1);
    expect(lying.caption).not.toBe(upright.caption);
    expect([rotated.width, rotated.height]).toEqual([upright.width, upright.height]);
    expect([lying.width, lying.height]).toEqual([upright.height, upright.width]);
  });

  test('one pixel', () => {
    expect(captioned('pixel.png')).toMatchObject({ width: 1, height: 1 });
  });

  test('the first frame of an animation', () => {
    const { width, height } = captioned('upright.jpg');
    expect(captioned('animated.gif')).toMatchObject({ width, height });
  });

  test('a JPEG for printing, in CMYK, and a scan of 16 bits of grey', () => {
    const { width, height } = captioned('upright.jpg');
    expect(captioned('cmyk.jpg')).toMatchObject({ width, height });
    expect(captioned('grey16.tif')).toMatchObject({ width, height });
  });
});

describe('one process, over the same files in a folder,', () => {
  test('ends with status 1, since some failed, and says how many', () => {
    expect(local.code).toBe(1);
    expect(local.stderr).toMatch(
      /^14 captioned in .*, 5 failed \(empty 1, .*\), 2 skipped: not a photograph$/,
    );
  });

  test('gives the rows that the pipeline gave', () => {
    expect([...localRows.keys()].toSorted()).toEqual([...files.keys()].toSorted());
    for (const [key, row] of localRows) {
      expect(comparable(row)).toEqual(comparable(rows.get(key) as PartRow));
    }
  });
});
