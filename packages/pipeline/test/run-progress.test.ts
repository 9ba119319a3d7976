import {
  connectRedis,
  countByOutcome,
  countProgress,
  partStep,
  progressOf,
  readProgress,
  resetProgress,
  setProgress,
} from '@cutline/pipeline';
import type { PartRow } from '@cutline/shared/run';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.url);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});
beforeEach(() => redis.flushall());

const failure = (failureClass: 'corrupt' | 'not-found'): PartRow => ({
  key: 'x',
  etag: null,
  status: 'failed',
  failure: { class: failureClass, message: '' },
});
const rows: PartRow[] = [
  failure('corrupt'),
  { key: 'y', etag: null, status: 'skipped', reason: 'duplicate' },
  failure('not-found'),
  failure('corrupt'),
];

test('rows are counted by what became of them, and failures by their class too', () => {
  expect(countByOutcome(rows)).toEqual({
    failed: 3,
    'failed:corrupt': 2,
    'failed:not-found': 1,
    skipped: 1,
  });
});

test('a run that Redis knows nothing of has no progress', async () => {
  expect(await readProgress(redis, 'r')).toBeUndefined();
});

test('a step counts once, however often and however many do it', async () => {
  const step = partStep({ batch: 3, attempt: '0' });
  const counted = await Promise.all(
    Array.from({ length: 20 }, () => countProgress(redis, 'r', step, countByOutcome(rows))),
  );
  expect(counted.filter(Boolean)).toHaveLength(1);
  expect(await readProgress(redis, 'r')).toEqual({
    listed: 0,
    listingComplete: 0,
    enqueued: 0,
    encoded: 0,
    captioned: 0,
    skipped: 1,
    failed: 3,
    failedByClass: { corrupt: 2, 'not-found': 1 },
  });
});

test('other steps, attempts and runs count by themselves', async () => {
  const count = (run: string, step: string) => countProgress(redis, run, step, { captioned: 2 });
  expect(await count('r', partStep({ batch: 3, attempt: '0' }))).toBe(true);
  expect(await count('r', partStep({ batch: 3, attempt: '0r' }))).toBe(true);
  expect(await count('r', partStep({ batch: 4, attempt: '0' }))).toBe(true);
  expect(await count('r', 'encode:3.0')).toBe(true);
  expect(await count('s', partStep({ batch: 3, attempt: '0' }))).toBe(true);
  expect((await readProgress(redis, 'r'))?.captioned).toBe(8);
  expect((await readProgress(redis, 's'))?.captioned).toBe(2);
});

test('a step without anything to count is a step as well', async () => {
  expect(await countProgress(redis, 'r', 'encode:0.0', { encoded: 0 })).toBe(true);
  expect(await countProgress(redis, 'r', 'encode:0.0', { encoded: 5 })).toBe(false);
});

test('what the producer counts itself is set, and leaves the rest as it is', async () => {
  await countProgress(redis, 'r', 'part:0.0', { captioned: 64 });
  await setProgress(redis, 'r', { listed: 100, listingComplete: 0, enqueued: 64 });
  await setProgress(redis, 'r', { listed: 120, listingComplete: 1, enqueued: 120 });
  expect(await readProgress(redis, 'r')).toMatchObject({
    listed: 120,
    listingComplete: 1,
    enqueued: 120,
    captioned: 64,
  });
});

test('after a reset, every step counts anew', async () => {
  await countProgress(redis, 'r', 'part:0.0', { captioned: 64 });
  await resetProgress(redis, 'r');
  expect(await readProgress(redis, 'r')).toBeUndefined();
  expect(await countProgress(redis, 'r', 'part:0.0', { captioned: 64 })).toBe(true);
  expect((await readProgress(redis, 'r'))?.captioned).toBe(64);
});

test('nothing stays in Redis for ever', async () => {
  await countProgress(redis, 'r', 'part:0.0', { captioned: 64 });
  await setProgress(redis, 'r', { listed: 100 });
  for (const key of await redis.keys('*')) expect(await redis.ttl(key), key).toBeGreaterThan(0);
});

test('a finished run has the progress that its summary tells', () => {
  const summary = {
    run: 'r',
    images: 10,
    captioned: 7,
    skipped: 1,
    failed: 2,
    missing: 0 as const,
    skippedByReason: { duplicate: 1 },
    failedByClass: { corrupt: 2 },
    parts: 1,
    model: 'm',
    created: '',
    finished: '',
    imagesPerSecond: 1,
  };
  expect(progressOf(summary)).toEqual({
    listed: 10,
    listingComplete: 1,
    enqueued: 10,
    encoded: 7,
    captioned: 7,
    skipped: 1,
    failed: 2,
    failedByClass: { corrupt: 2 },
  });
});
