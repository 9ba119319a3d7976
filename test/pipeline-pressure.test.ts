import { connectRedis, RedisFeatures } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import { countJobs } from './support/redis-keys.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** More work than some part of the pipeline can take: everything is bounded. */

let pipeline: Pipeline;
let redis: Redis;

/** Features of five images of the tiny model, 9×5 float16 each, and their header. */
const batchBytes = 5 * 90 + 100;
const budgetBytes = 4 * batchBytes;

beforeAll(async () => {
  pipeline = await startPipeline({
    env: { CUTLINE_FEATURE_BYTES_MAX: String(budgetBytes), CUTLINE_JOB_CONCURRENCY: '1' },
  });
  redis = await connectRedis(pipeline.redis.url);
}, 60_000);

afterAll(async () => {
  redis?.disconnect();
  await pipeline?.stop();
});

test('encoders wait for decoders, and the producer for encoders', {
  timeout: 180_000,
}, async () => {
  await pipeline.upload(await sampleImages(100), 'pressed/');
  const args = ['s3://archive/pressed/', '--run', 'pressed', '--batch-size', '5', '--window', '7'];
  const producer = await pipeline.startProducer(args);
  const jobs = (queue: 'encode' | 'decode', list: 'wait' | 'active') =>
    countJobs(redis, queue, list);
  const bytesInFlight = () => new RedisFeatures(redis, { ttlMs: 1 }).bytesInFlight();
  await waitFor(async () => (await jobs('encode', 'wait')) === 7, {
    deadlineMs: 60_000,
    what: 'the window to be full',
  });

  const encoder = await pipeline.startWorker('encoder-worker');
  await encoder.waitForLine(/"msg":"holding back/, 60_000);
  await waitFor(async () => (await jobs('encode', 'active')) === 0, {
    deadlineMs: 60_000,
    what: 'the encoder to have nothing in hand',
  });
  const encoded = await jobs('decode', 'wait');
  const bytes = await bytesInFlight();
  expect(bytes).toBeGreaterThanOrEqual(budgetBytes);
  expect(bytes).toBeLessThan(budgetBytes + batchBytes);

  // Another one, too, has nothing to do, and neither has to do anything to stop.
  const another = await pipeline.startWorker('encoder-worker');
  await another.waitForLine(/"msg":"holding back/, 10_000);
  expect(await jobs('decode', 'wait')).toBe(encoded);
  expect(await jobs('encode', 'active')).toBe(0);
  another.kill();
  expect(await another.exited).toEqual({ code: 0, signal: null });
  expect((await encoder.scrape()).value('cutline_feature_bytes')).toBe(bytes);

  await pipeline.startWorker('decoder-worker');
  await encoder.waitForLine(/"msg":"going on"/, 60_000);
  await untilDone(producer);
  const results = await pipeline.results('pressed');
  expectToReconcile(results);
  // Of twenty batches, which are compacted.
  expect(results.summary).toMatchObject({ captioned: 100, parts: 0 });
  expect(await bytesInFlight()).toBe(0);
});
