import { connectRedis, FeatureStore } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

/** On a real Redis: values and books must change together, whatever is repeated. */

let server: RedisServer;
let redis: Redis;
let clockMs = 0;
let store: FeatureStore;
const ttlMs = 60_000;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.url);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});
beforeEach(async () => {
  await redis.flushall();
  clockMs = 1_000_000;
  store = new FeatureStore(redis, { ttlMs, now: () => clockMs });
});

const bytes = (n: number, value = 7) => Buffer.alloc(n, value);

test('gives back the very bytes, zeros and all', async () => {
  const blob = Buffer.from([0, 255, 10, 13, 0, 128]);
  await store.put('run.000000.0', blob);
  expect(await store.get('run.000000.0')).toEqual(blob);
});

test('knows nothing of what was never put', async () => {
  expect(await store.get('run.000000.0')).toBeUndefined();
  expect(await store.bytesInFlight()).toBe(0);
});

test('sums up the bytes in flight', async () => {
  expect(await store.put('a', bytes(100))).toBe(100);
  expect(await store.put('b', bytes(30))).toBe(130);
  expect(await store.bytesInFlight()).toBe(130);
});

test('counts a blob once however often it is put, and at its new size', async () => {
  for (let i = 0; i < 5; i++) expect(await store.put('a', bytes(100))).toBe(100);
  expect(await store.put('a', bytes(40, 1))).toBe(40);
  expect(await store.get('a')).toEqual(bytes(40, 1));
});

test('takes a blob off the books once however often it is removed', async () => {
  await store.put('a', bytes(100));
  await store.put('b', bytes(30));
  for (let i = 0; i < 5; i++) await store.remove('a');
  expect(await store.get('a')).toBeUndefined();
  expect(await store.bytesInFlight()).toBe(30);
  await store.remove('never-put');
  expect(await store.bytesInFlight()).toBe(30);
});

test('stays exact while many put and remove at once', async () => {
  const other = await connectRedis(server.url);
  const stores = [store, new FeatureStore(other, { ttlMs, now: () => clockMs })];
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const each = stores[i % 2] as FeatureStore;
      await each.put(`batch-${i % 20}`, bytes(10 + (i % 20)));
      if (i % 3 === 0) await each.remove(`batch-${i % 20}`);
    }),
  );
  const left = await redis.keys('cutline:features:batch-*');
  const sizes = await Promise.all(left.map((key) => redis.strlen(key)));
  expect(await store.bytesInFlight()).toBe(sizes.reduce((sum, size) => sum + size, 0));
  for (let i = 0; i < 20; i++) await store.remove(`batch-${i}`);
  expect(await store.bytesInFlight()).toBe(0);
  other.disconnect();
});

test('leaves no trace when all is removed', async () => {
  await store.put('a', bytes(100));
  await store.remove('a');
  expect(await redis.keys('cutline:features:*')).toEqual(['cutline:features:bytes']);
});

test('takes what expired off the books, and nothing else', async () => {
  await store.put('old', bytes(100));
  clockMs += ttlMs / 2;
  await store.put('new', bytes(30));
  clockMs += ttlMs / 2 - 1;
  expect(await store.bytesInFlight()).toBe(130);
  clockMs += 1;
  expect(await store.bytesInFlight()).toBe(30);
  clockMs += ttlMs;
  expect(await store.bytesInFlight()).toBe(0);
});

test('gives a blob that is put again its whole time', async () => {
  await store.put('a', bytes(100));
  clockMs += ttlMs - 1;
  await store.put('a', bytes(100));
  clockMs += ttlMs - 1;
  expect(await store.bytesInFlight()).toBe(100);
});

test('has Redis drop a value when its time is over', async () => {
  const brief = new FeatureStore(redis, { ttlMs: 40 });
  await brief.put('a', bytes(100));
  await waitFor(async () => (await brief.get('a')) === undefined, {
    deadlineMs: 10_000,
    what: 'the value to expire',
  });
  await waitFor(async () => (await brief.bytesInFlight()) === 0, {
    deadlineMs: 10_000,
    what: 'the books to follow',
  });
});

test('sweeps more than one script does at a time', async () => {
  await Promise.all(Array.from({ length: 1_500 }, (_, i) => store.put(`batch-${i}`, bytes(2))));
  clockMs += ttlMs;
  expect(await store.bytesInFlight()).toBe(0);
});
