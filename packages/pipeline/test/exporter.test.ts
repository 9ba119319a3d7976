import {
  connectRedis,
  Exporter,
  FeatureBooks,
  openQueues,
  RedisBoard,
  realWorld,
  redisHome,
  runsEnlistedMax,
} from '@cutline/pipeline';
import { createNotesLogger, Metrics } from '@cutline/shared/process';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Family, parseExposition } from '../../../test/support/exposition.ts';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

/** What the exporter tells of a real Redis, and what it no longer tells of one that is gone. */

let server: RedisServer;
let redis: Redis;
let board: RedisBoard;
let exporter: Exporter;
let metrics: Metrics;

beforeEach(async () => {
  server = await startRedis({ args: ['--maxmemory', '64mb'] });
  redis = await connectRedis(server.url);
  board = new RedisBoard(redis);
  metrics = new Metrics();
  exporter = new Exporter({
    ...{ redis, metrics, log: createNotesLogger(() => {}) },
    features: new FeatureBooks(redis, { home: redisHome }),
  });
});
afterEach(async () => {
  redis.disconnect();
  await server.stop();
});

async function page(): Promise<Family[]> {
  return parseExposition(await metrics.registry.metrics());
}

async function samples(name: string): Promise<Record<string, string | number>[]> {
  const family = (await page()).find((each) => each.name === name);
  return (family?.samples ?? []).map(({ labels, value }) => ({ ...labels, value }));
}

async function runSome(run: string, images: number, listed = images): Promise<void> {
  await board.enlist({ run, model: 'tiny@00' });
  await board.setProgress(run, {
    listed,
    listedBytes: 7 * listed,
    listingComplete: 1,
    deadlineMs: 1.8e12,
  });
  await board.count(run, 'part:0.0', { encoded: images, captioned: images - 1 });
  await board.count(run, 'part:1.0', { failed: 1, 'failed:corrupt': 1 });
}

test('tells how far a run is, who produces it, and what its queues hold', async () => {
  await runSome('1920s', 40, 100);
  await board.lock('1920s', 'me', 60_000);
  const queues = openQueues({ model: 'tiny@00', redis, lockMs: 30_000, world: realWorld });
  await exporter.look();
  const run = '1920s';
  expect(await samples('cutline_run_images')).toEqual(
    expect.arrayContaining([
      { run, state: 'listed', value: 100 },
      { run, state: 'captioned', value: 39 },
      { run, state: 'failed', value: 1 },
    ]),
  );
  expect(await samples('cutline_run_failed_images')).toEqual([{ run, class: 'corrupt', value: 1 }]);
  expect(await samples('cutline_run_remaining_images')).toEqual([{ run, value: 60 }]);
  expect(await samples('cutline_run_listed_bytes')).toEqual([{ run, value: 700 }]);
  expect(await samples('cutline_run_deadline_timestamp_seconds')).toEqual([{ run, value: 1.8e9 }]);
  expect(await samples('cutline_run_producers')).toEqual([{ run, value: 1 }]);
  expect(await samples('cutline_run_info')).toEqual([{ run, model: 'tiny@00', value: 1 }]);
  expect(await samples('cutline_queue_jobs')).toHaveLength(8);
  expect(await samples('cutline_redis_writable')).toEqual([{ value: 1 }]);
  expect(await samples('cutline_redis_memory_limit_bytes')).toEqual([{ value: 64 * 1024 ** 2 }]);
  await board.release('1920s', 'me');
  await exporter.look();
  expect(await samples('cutline_run_producers')).toEqual([{ run, value: 0 }]);
  await exporter.stop();
  await Promise.all([queues.encode.close(), queues.decode.close()]);
});

test('passes over what is among the runs and is none', async () => {
  await runSome('1920s', 40);
  await redis.zadd(
    'cutline:runs',
    Date.now() * 1000,
    'somebody else’s',
    Date.now() * 1000,
    '{"run":7}',
  );
  await exporter.look();
  expect(await samples('cutline_redis_up')).toEqual([{ value: 1 }]);
  expect((await samples('cutline_run_info')).map(({ run }) => run)).toEqual(['1920s']);
  await exporter.stop();
});

test('after a thousand runs its page is no longer than after fifty', async () => {
  const sizes: number[] = [];
  for (let n = 0; n < 1_000; n += 1) {
    await runSome(`run-${n}`, 10, n % 2 === 0 ? 10 : 11);
    if (n % 100 !== 99) continue;
    await exporter.look();
    sizes.push((await page()).reduce((sum, family) => sum + family.samples.length, 0));
  }
  expect(new Set(sizes).size).toBe(1);
  const runs = (await samples('cutline_run_info')).map(({ run }) => run);
  // Those that are not finished, and ten that are.
  expect(runs).toHaveLength(runsEnlistedMax / 2 + 10);
  expect(runs).toContain('run-999');
  await exporter.stop();
});

test('of a Redis that is gone it tells that, and nothing else', async () => {
  await runSome('1920s', 40, 100);
  await exporter.look();
  server.pause();
  await exporter.look();
  await exporter.look(); // commands that wait do not pile up
  const told = (await page()).filter(
    ({ name, samples: some }) => some.length > 0 && /_(redis|run|queue|feature_bytes)/.test(name),
  );
  const series = told.flatMap((family) => (family.type === 'histogram' ? [] : family.samples));
  expect(series.map(({ name }) => name).toSorted()).toEqual([
    'cutline_redis_last_contact_timestamp_seconds',
    'cutline_redis_up',
    'cutline_redis_writable',
  ]);
  expect(await samples('cutline_redis_up')).toEqual([{ value: 0 }]);
  server.resume();
  await waitFor(
    async () => {
      await exporter.look();
      return (await samples('cutline_redis_up'))[0]?.value === 1;
    },
    { deadlineMs: 20_000, what: 'Redis to be up again' },
  );
  expect(await samples('cutline_run_remaining_images')).toEqual([{ run: '1920s', value: 60 }]);
  await exporter.stop();
});

test('of a Redis that is full it tells that it takes no writes', async () => {
  await redis.config('SET', 'maxmemory', '1mb');
  await exporter.look();
  expect(await samples('cutline_redis_up')).toEqual([{ value: 1 }]);
  expect(await samples('cutline_redis_writable')).toEqual([{ value: 0 }]);
  await exporter.stop();
});
