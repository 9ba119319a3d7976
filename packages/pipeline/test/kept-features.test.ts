import type { ImageFeatures } from '@cutline/inference';
import {
  DamagedFeaturesError,
  type DecodeJob,
  type KeptFeaturesRef,
  keepFeatures,
  loadKept,
} from '@cutline/pipeline';
import { type EncodedImage, KeptFeatures, sha256 } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeJob, imagesOf } from './support/example-jobs.ts';

/** Features that a run keeps, and what comes back of them. */

const model = 'tiny@0123456789ab';
const encoder = 'e'.repeat(64);

let store: MemoryStore;
let kept: KeptFeatures;

beforeEach(() => {
  store = new MemoryStore('s3://captions');
  kept = new KeptFeatures(store, 'a/', 'r1');
});

const encoded = (...keys: string[]) =>
  keys.map(
    (key): EncodedImage => ({ status: 'encoded', key, etag: `etag-${key}`, width: 2, height: 1 }),
  );

/** [n, 1, 2] float16: the four bytes of an image are its number, four times. */
function featuresOf(...numbers: number[]): ImageFeatures {
  const payload = Uint8Array.from(numbers.flatMap((number) => Array(4).fill(number)));
  return { dtype: 'float16', shape: [numbers.length, 1, 2], payload };
}

function decodeJob(images: EncodedImage[], fields: Partial<DecodeJob> = {}): DecodeJob {
  const { images: _, ...job } = encodeJob();
  return { ...job, images, features: null, deferred: [], ...fields };
}

const keep = async (job: DecodeJob, features: ImageFeatures | undefined, id = 'first') => {
  const stays = await keepFeatures(kept, job, features, { model, encoder, id });
  expect(stays.isOwn).toBe(id !== 'late');
  return stays.job;
};

const keys = async () => {
  const found: string[] = [];
  for await (const { key } of store.list()) found.push(key);
  return found;
};

async function load(ref: DecodeJob['features']): Promise<number[]> {
  const { payload } = await loadKept(store, ref as KeptFeaturesRef);
  return [...payload].filter((_, at) => at % 4 === 0);
}

describe('an attempt', () => {
  test('leaves its features, and a manifest that says of which images', async () => {
    const failure = { class: 'corrupt' as const, message: 'it is damaged' };
    const failed: EncodedImage = { status: 'failed', key: 'b', etag: null, failure };
    const images = [...encoded('a'), failed, ...encoded('c')];
    const job = await keep(decodeJob(images, { attempt: '3ra' }), featuresOf(1, 3));
    expect(await keys()).toEqual([
      'a/runs/r1/features/000000.3ra.first.features',
      'a/runs/r1/features/000000.3ra.json',
    ]);
    const { bytes } = await store.get('a/runs/r1/features/000000.3ra.first.features');
    expect(await kept.readBatch(0)).toEqual([
      {
        format: 1,
        ...{ run: 'r1', batch: 0, attempt: '3ra', model, encoder, images },
        features: {
          name: '000000.3ra.first.features',
          bytes: bytes.length,
          sha256: sha256(bytes),
          dtype: 'float16',
          shape: [2, 1, 2],
        },
      },
    ]);
    expect(job).toMatchObject({ images, deferred: [] });
    expect(await load(job.features)).toEqual([1, 3]);
  });

  test('that encoded nothing has a manifest, and no features', async () => {
    const failure = { class: 'corrupt' as const, message: 'it is damaged' };
    const images: EncodedImage[] = [{ status: 'failed', key: 'b', etag: null, failure }];
    expect(await keep(decodeJob(images), undefined)).toMatchObject({ images, features: null });
    expect(await keys()).toEqual(['a/runs/r1/features/000000.json']);
  });

  test('of which another try was first goes on with what that found', async () => {
    const first = decodeJob(encoded('a', 'b'), { deferred: imagesOf('c') });
    await keep(first, featuresOf(1, 2));
    // Of the second, other images were readable.
    const second = decodeJob(encoded('b', 'c'), { deferred: imagesOf('a') });
    const job = await keep(second, featuresOf(7, 8), 'late');
    expect(job.images).toEqual(first.images);
    expect(job.deferred).toEqual([{ key: 'c', etag: 'etag-c', bytes: null }]);
    expect(await load(job.features)).toEqual([1, 2]);
    expect(await keys()).toEqual([
      'a/runs/r1/features/000000.first.features',
      'a/runs/r1/features/000000.json',
    ]);
  });
});

test('the manifests of a batch are those of all attempts at it, and of no other batch', async () => {
  for (const [batch, attempt] of [
    [1, '0'],
    [1, '0r'],
    [1, '2'],
    [10, '0'],
    [1_000_000, '0'],
    [100_000, '0'],
  ] as const) {
    await keep(decodeJob(encoded('a'), { batch, attempt }), featuresOf(1), `${batch}-${attempt}`);
  }
  await store.put('a/runs/r1/features/000001.copy.json', Buffer.from('{}'));
  const attempts = async (batch: number) =>
    (await kept.readBatch(batch)).map((each) => `${each.batch}.${each.attempt}`);
  expect(await attempts(1)).toEqual(['1.0r', '1.2', '1.0']);
  expect(await attempts(100_000)).toEqual(['100000.0']);
  expect(await attempts(1_000_000)).toEqual(['1000000.0']);
  expect(await attempts(2)).toEqual([]);
});

describe('features', () => {
  let ref: KeptFeaturesRef;
  beforeEach(async () => {
    const first = await keep(decodeJob(encoded('a', 'b', 'c')), featuresOf(1, 2, 3));
    const remainder = decodeJob(encoded('d', 'e'), { attempt: '0r' });
    const second = await keep(remainder, featuresOf(4, 5), 'second');
    const [a] = (first.features as KeptFeaturesRef).pieces;
    const [b] = (second.features as KeptFeaturesRef).pieces;
    ref = {
      ...(first.features as KeptFeaturesRef),
      pieces: [
        { ...a!, rows: [2] },
        { ...b!, rows: [1] },
        { ...a!, rows: [0, 1] },
      ],
    };
  });

  test('are put together from several files, each read once', async () => {
    const { get } = store;
    let gets = 0;
    store.get = (...args) => {
      gets += 1;
      return get.apply(store, args);
    };
    expect(await load(ref)).toEqual([3, 5, 1, 2]);
    expect(gets).toBe(2);
  });

  test.each<[string, (key: string) => Promise<unknown>, string]>([
    ['that are gone', (key) => store.delete(key), 'not-found'],
    ['that were changed', (key) => store.put(key, Buffer.from('others')), 'corrupt'],
  ])('%s are told of', async (_, harm, failureClass) => {
    await harm(ref.pieces[1]!.key);
    const error = await loadKept(store, ref).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DamagedFeaturesError);
    expect(error).toMatchObject({ failureClass });
  });

  test('of another model, or of more images than there are, are refused', async () => {
    const other = { ...ref, model: 'other@0123456789ab' };
    await expect(loadKept(store, other)).rejects.toThrow(/has no features of other@/);
    const more = { ...ref, pieces: [{ ...ref.pieces[0]!, rows: [3] }] };
    await expect(loadKept(store, more)).rejects.toThrow(/has features of 3 images, no 3/);
  });
});
