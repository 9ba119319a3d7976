import { connectRedis } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { slowDown } from './support/fault-proxy.ts';
import { type Pipeline, startPipeline, untilDone, type WorkerProcess } from './support/pipeline.ts';
import { stopProcess } from './support/processes.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** Workers that do both stages: the rows of two pools, and nothing but jobs in Redis. */

let pipeline: Pipeline;
let redis: Redis;

beforeAll(async () => {
  pipeline = await startPipeline({
    env: {
      CUTLINE_FETCH_ATTEMPTS: '1',
      CUTLINE_RETRY_BASE_MS: '20',
      CUTLINE_REMAINDER_DELAY_MS: '50',
      CUTLINE_JOB_LOCK_MS: '1500',
    },
  });
  redis = await connectRedis(pipeline.redis.url);
  await pipeline.upload(await sampleImages(60), 'both/');
  await pipeline.upload([['notes.txt', Buffer.from('no image')]], 'both/');
}, 60_000);

afterAll(async () => {
  redis?.disconnect();
  await pipeline?.stop();
});

const args = (run: string) => ['s3://archive/both/', '--run', run, '--batch-size', '4'];

const start = (...names: Parameters<Pipeline['startWorker']>[0][]): Promise<WorkerProcess[]> =>
  Promise.all(names.map((name) => pipeline.startWorker(name)));

const stop = (workers: readonly WorkerProcess[]) =>
  Promise.all(workers.map((worker) => stopProcess(worker, 10_000)));

test('they give the rows of two pools, and put no features into Redis', {
  timeout: 120_000,
}, async () => {
  const pools = await start('encoder-worker', 'decoder-worker');
  await pipeline.succeed('run', ...args('pools'));
  await stop(pools);

  await redis.flushall();
  const [captioner] = await start('captioner-worker');
  // One batch has a remainder.
  pipeline.proxy.add({ operation: 'get', key: 'both/photo-0005.jpg', times: 2, does: slowDown });
  await pipeline.succeed('run', ...args('both'), '--keep-features', 'output');
  const [expected, found] = [await pipeline.results('pools'), await pipeline.results('both')];
  expectToReconcile(found);
  expect(found.parts).toContain('000001.0r.jsonl');
  expect(found.rows).toEqual(expected.rows);
  expect(await redis.keys('cutline:*features*')).toEqual([]);
  const metrics = await captioner!.scrape();
  const images = (stage: string, state: string) =>
    metrics.value(`cutline_images_total{stage="${stage}",state="${state}"}`);
  expect(images('encode', 'encoded')).toBe(60);
  expect(images('decode', 'captioned')).toBe(60);
  await stop([captioner!]);

  // What they keep, decoders find.
  const [decoder] = await start('decoder-worker');
  await pipeline.succeed('decode', 'both', '--run', 'both-again');
  await stop([decoder!]);
  expect((await pipeline.results('both-again')).rows).toEqual(expected.rows);
});

test('one that dies in the middle of its batches loses nothing', { timeout: 120_000 }, async () => {
  // It dies while it writes a part, with others in hand.
  let written = () => {};
  const isWritten = new Promise<void>((resolve) => {
    written = resolve;
  });
  pipeline.proxy.add({
    ...{ operation: 'put', key: /runs\/dying\/parts\/000006/, times: 1 },
    does: {
      after: async () => {
        written();
        await new Promise(() => {});
      },
    },
  });
  const [first] = await start('captioner-worker');
  const producer = await pipeline.startProducer(args('dying'));
  await isWritten;
  first!.kill('SIGKILL');
  await first!.exited;
  const [second] = await start('captioner-worker');
  await untilDone(producer);
  await waitFor(async () => (await pipeline.results('dying')).summary !== undefined, {
    deadlineMs: 10_000,
    what: 'the summary',
  });
  await stop([second!]);
  const results = await pipeline.results('dying');
  expectToReconcile(results);
  expect(results.rows).toEqual((await pipeline.results('pools')).rows);
});
