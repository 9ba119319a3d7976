import { mkdir, mkdtemp, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  captionFeatures,
  defaultBundleFolder,
  type EncodeContext,
  encodeImages,
  type Features,
  type ImageFeatures,
  type InferencePool,
  startInference,
} from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { Metrics } from '@cutline/shared/process';
import type { ImageRef } from '@cutline/shared/run';
import { type ObjectStore, openStore, StoreError } from '@cutline/shared/stores';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { handmadePng, plain, scene, storedWithOrientation, toSharp } from './image-fixtures.ts';

let pool: InferencePool;
let folder: string;
let store: ObjectStore;
let metrics: Metrics;

beforeAll(async () => {
  const stages = { encode: true, decode: true };
  const bundleFolder = defaultBundleFolder();
  pool = await startInference({ bundleFolder, stages, backend: 'wasm', threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'cutline-images-'));
  store = await openStore(pathToFileURL(folder).href);
});
afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  metrics = new Metrics();
});

const limits = {
  imageBytesMax: 1_000_000,
  imagePixelsMax: 10_000_000,
  decodeTimeoutMs: 20_000,
  fetchConcurrency: 4,
  fetchAttempts: 3,
  retryBaseMs: 1,
};

const context = (own: Partial<EncodeContext> = {}): EncodeContext => ({
  store,
  pool,
  limits,
  metrics,
  ...own,
});

const ref = (key: string, own: Partial<ImageRef> = {}): ImageRef => ({
  key,
  etag: null,
  bytes: null,
  ...own,
});

async function put(key: string, bytes: Buffer): Promise<ImageRef> {
  await mkdir(join(folder, key, '..'), { recursive: true });
  await store.put(key, bytes);
  const info = await store.head(key);
  if (!info) throw new Error(`${key} was not stored`);
  return info;
}

function payloadOf(features: Features | undefined): Buffer {
  return Buffer.from(imageFeatures(features).payload);
}

function imageFeatures(features: Features | undefined): ImageFeatures {
  if (!features || features.dtype === 'answers') throw new Error('no image was encoded');
  return features;
}

/** Features of the nth encoded image. */
function featuresAt(features: Uint8Array, n: number): Buffer {
  const { locations, channels } = pool.model.features;
  const bytes = locations * channels * 2;
  return Buffer.from(features.subarray(n * bytes, (n + 1) * bytes));
}

async function stepCount(stage: string): Promise<number> {
  const { values } = await metrics.stepSeconds.get();
  const count = values.find(
    ({ metricName, labels }) =>
      metricName === 'cutline_step_seconds_count' && labels.stage === stage,
  );
  return count?.value ?? 0;
}

async function retries(): Promise<number> {
  return (await metrics.retries.get()).values.reduce((sum, { value }) => sum + value, 0);
}

test('every image of a difficult batch has its outcome, and the good ones are unharmed', async () => {
  const photo = await toSharp(scene(320, 240)).jpeg().toBuffer();
  const bomb = handmadePng({
    width: 20_000,
    height: 20_000,
    colourType: 2,
    bitDepth: 8,
    scanLines: Buffer.alloc(1000),
  });
  const replaced = await put('replaced.jpg', photo);
  await utimes(join(folder, 'replaced.jpg'), new Date(0), new Date(0));
  const deleted = await put('deleted.jpg', photo);
  await store.delete('deleted.jpg');

  const images = [
    await put('first.jpg', photo),
    await put('empty.jpg', Buffer.alloc(0)),
    await put('truncated.jpg', photo.subarray(0, photo.length / 2)),
    await put('text.jpg', Buffer.from('not a photograph')),
    await put('bomb.png', bomb),
    await put('sub folder/ünï + 100%.png', await plain(1, 1, '#808080').png().toBuffer()),
    await put('large.jpg', Buffer.alloc(limits.imageBytesMax + 1, 0xff)),
    ref('large.jpg'), // from a list of keys: its size is not known before it is fetched
    replaced,
    deleted,
    ref('../outside.jpg'),
    await put('turned.png', await storedWithOrientation(scene(320, 240), 6)),
  ];
  const { outcomes, features } = await encodeImages(images, context());

  const failed = (failureClass: string, message = expect.any(String)) => ({
    status: 'failed',
    failure: { class: failureClass, message },
  });
  expect(outcomes).toEqual([
    { status: 'encoded', etag: images[0]?.etag, width: 320, height: 240 },
    failed('empty', 'the object has 0 bytes'),
    failed('corrupt'),
    failed('unsupported'),
    failed('too-large', '20000×20000 is 400000000 pixels; at most 10000000 are accepted'),
    { status: 'encoded', etag: images[5]?.etag, width: 1, height: 1, warnings: ['blank'] },
    failed('too-large', '1000001 bytes; at most 1000000 are accepted'),
    failed('too-large'),
    failed('changed'),
    failed('not-found'),
    failed('access-denied'),
    { status: 'encoded', etag: images[11]?.etag, width: 320, height: 240 },
  ]);

  const { locations, channels } = pool.model.features;
  expect(features?.shape).toEqual([3, locations, channels]);
  for (const [n, image] of [images[0], images[5], images[11]].entries()) {
    const alone = await encodeImages(image ? [image] : [], context());
    expect(featuresAt(payloadOf(features), n).equals(payloadOf(alone.features)), `image ${n}`).toBe(
      true,
    );
  }
});

test.each<[string, string | Buffer]>([
  ['letter', '%PDF-1.7\n1 0 obj'],
  ['readme', 'The photographs are in the other box.'],
  ['page', '<!doctype html><p>Not found'],
  ['clip.bin', Buffer.from('\0\0\0\x18ftypmp42\0\0\0\0', 'latin1')],
  ['letters.data', 'PK\x03\x04'],
  ['Thumbs.dat', Buffer.from('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'latin1')],
  ['Previews.lrprev', 'SQLite format 3\0'],
  ['voice', 'ID3\x04'],
  ['setup.bin', 'MZ\x90'],
  ['Icon\r', ''],
])('%s is no image by its content, and skipped', async (name, bytes) => {
  const { outcomes } = await encodeImages([await put(name, Buffer.from(bytes))], context());
  expect(outcomes).toEqual([{ status: 'skipped', reason: 'not-an-image' }]);
});

test('what may be an image, or is called one, is not passed over', async () => {
  const images = [
    await put('unknown', Buffer.from('\x01\x02\x03\x04\xff\xfe', 'latin1')),
    await put('drawing', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
    await put('lost.JPG', Buffer.from('<!doctype html><p>Not found')),
    await put('scan.tiff', Buffer.from('%PDF-1.7\n1 0 obj')),
  ];
  const { outcomes } = await encodeImages(images, context());
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'failed', failure: { class: 'unsupported' } });
  }
});

test('a rotated image gives the caption of the upright one', async () => {
  const upright = scene(301, 203);
  const images = [
    await put('upright.png', await storedWithOrientation(upright, 1)),
    await put('rotated.png', await storedWithOrientation(upright, 8)),
    await put('mirrored.png', await storedWithOrientation(upright, 5)),
  ];
  const { features } = await encodeImages(images, context());
  const options = { ...pool.model.decoding, candidates: 1 };
  const captions = await captionFeatures(imageFeatures(features), { pool, options, metrics });
  expect(captions[1]?.caption).toBe(captions[0]?.caption);
  expect(captions[2]?.caption).toBe(captions[0]?.caption);
  expect(await stepCount('decode')).toBe(1);
});

test('an image that shows nothing is encoded, and named', async () => {
  const nearly = plain(40, 30, '#808080').png();
  const dust = await sharp(await nearly.clone().toBuffer())
    .composite([{ input: await plain(8, 8, '#8a8a8a').png().toBuffer(), left: 9, top: 9 }])
    .png()
    .toBuffer();
  const clear = { r: 200, g: 0, b: 0, alpha: 0 };
  const images = [
    await put('grey.png', await nearly.toBuffer()),
    await put('dust.png', dust),
    await put('red.png', await plain(40, 30, '#ff0000').png().toBuffer()),
    await put(
      'clear.png',
      await sharp({ create: { width: 9, height: 9, channels: 4, background: clear } })
        .png()
        .toBuffer(),
    ),
  ];
  const { outcomes } = await encodeImages(images, context());
  const named = outcomes.map((each) => each.status === 'encoded' && each.warnings);
  expect(named).toEqual([['blank'], undefined, ['blank'], ['blank']]);
});

test('observes each step', async () => {
  const bytes = await plain(10, 10, '#abcdef').png().toBuffer();
  const images = [await put('a.png', bytes), await put('b.png', bytes), ref('missing.png')];
  await encodeImages(images, context());
  expect(await stepCount('fetch')).toBe(3);
  expect(await stepCount('preprocess')).toBe(2);
  expect(await stepCount('encode')).toBe(1);
});

test('nothing to encode: outcomes without features', async () => {
  const { outcomes, features } = await encodeImages([ref('missing.png')], context());
  expect(outcomes).toMatchObject([{ status: 'failed', failure: { class: 'not-found' } }]);
  expect(features).toBeUndefined();
  expect(await stepCount('encode')).toBe(0);
});

/** The store, but `get` of some keys fails a number of times: a folder has no outages of its own. */
function storeWithOutages(outages: Record<string, number>) {
  const left = new Map(Object.entries(outages));
  const gets: string[] = [];
  const failing: Pick<ObjectStore, 'get'> = {
    async get(key, options) {
      gets.push(key);
      const times = left.get(key) ?? 0;
      left.set(key, times - 1);
      if (times > 0) throw new StoreError('unavailable', `no answer for ${key}`);
      return store.get(key, options);
    },
  };
  return { gets, store: Object.assign(Object.create(store), failing) as ObjectStore };
}

test('an outage is waited out in place, for some tries; then the image is deferred', async () => {
  const bytes = await plain(10, 10, '#abcdef').png().toBuffer();
  for (const key of ['well.png', 'slow.png', 'gone.png']) await put(key, bytes);
  const outages = storeWithOutages({ 'slow.png': 2, 'gone.png': 3 });
  const { outcomes } = await encodeImages(
    [ref('well.png'), ref('slow.png'), ref('gone.png')],
    context({ store: outages.store, random: () => 0 }),
  );
  expect(outcomes).toMatchObject([
    { status: 'encoded' },
    { status: 'encoded' },
    { status: 'deferred', message: 'no answer for gone.png' },
  ]);
  const triesAt = (key: string) => outages.gets.filter((k) => k === key).length;
  expect([triesAt('well.png'), triesAt('slow.png'), triesAt('gone.png')]).toEqual([1, 3, 3]);
  expect(await retries()).toBe(4);
});

test('pauses grow, and lie between a half and the whole of their nominal length', async () => {
  await put('slow.png', await plain(10, 10, '#abcdef').png().toBuffer());
  const slow = { ...limits, retryBaseMs: 20 };
  const { store: unsteady } = storeWithOutages({ 'slow.png': 2 });
  const startMs = performance.now();
  await encodeImages(
    [ref('slow.png')],
    context({ store: unsteady, limits: slow, random: () => 0 }),
  );
  expect(performance.now() - startMs).toBeGreaterThanOrEqual((20 + 40) / 2 - 2); // timers round
});

test('a misconfigured store fails the whole batch, in one line, and nothing goes on', async () => {
  const missing = await openStore(pathToFileURL(join(folder, 'not-mounted')).href);
  const images = Array.from({ length: 50 }, (_, i) => ref(`${i}.jpg`));
  const encoding = encodeImages(images, context({ store: missing }));
  await expect(encoding).rejects.toBeInstanceOf(UserError);
  await expect(encoding).rejects.toThrow(/^There is no folder .*not-mounted/);
  // Those in hand at that moment end, but no others begin.
  expect(await stepCount('fetch')).toBeLessThanOrEqual(limits.fetchConcurrency);
});

test('an aborted batch rejects with the reason, and stops waiting for retries', async () => {
  await expect(stat(join(folder, 'never.png'))).rejects.toThrow();
  const { store: dead, gets } = storeWithOutages({ 'never.png': 1000 });
  const abort = new AbortController();
  const patient = { ...limits, fetchAttempts: 1000, retryBaseMs: 60_000 };
  const encoding = encodeImages(
    [ref('never.png')],
    context({ store: dead, limits: patient, signal: abort.signal }),
  );
  const reason = new Error('shutting down');
  setTimeout(() => abort.abort(reason), 20);
  await expect(encoding).rejects.toBe(reason);
  expect(gets).toHaveLength(1);
});

test('a bug is not mistaken for a bad image', async () => {
  const broken = Object.assign(Object.create(store), {
    get: () => Promise.reject(new TypeError('undefined is not a function')),
  }) as ObjectStore;
  await expect(encodeImages([ref('any.png')], context({ store: broken }))).rejects.toThrow(
    TypeError,
  );
});
