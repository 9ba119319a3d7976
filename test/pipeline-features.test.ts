import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectRedis } from '@cutline/pipeline';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Pipeline, startPipeline, untilDone, type WorkerProcess } from './support/pipeline.ts';
import { stopProcess } from './support/processes.ts';
import { countJobs } from './support/redis-keys.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** Features that wait for decoders elsewhere than in Redis: in a bucket, in a folder. */

let pipeline: Pipeline;
let redis: Redis;
let folder: string;
let bucket: ObjectStore;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  pipeline = await startPipeline();
  redis = await connectRedis(pipeline.redis.url);
  folder = await mkdtemp(join(tmpdir(), 'cutline-features-'));
  bucket = await openStore(pipeline.s3.createBucket('features'), pipeline.s3.config);
  await pipeline.upload(await sampleImages(20), 'few/');
}, 60_000);

afterAll(async () => {
  redis?.disconnect();
  bucket?.close();
  await pipeline?.stop();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => stopProcess(worker, 10_000)));
});

async function start(...[name, env]: Parameters<Pipeline['startWorker']>): Promise<WorkerProcess> {
  const worker = await pipeline.startWorker(name, env);
  workers.push(worker);
  return worker;
}

const args = (run: string) => ['s3://archive/few/', '--run', run, '--batch-size', '5'];

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list()) keys.push(key);
  return keys;
}

/** Values of features, not their books. */
const valuesInRedis = () => redis.keys('cutline:*blob:*');

describe.each([
  {
    where: 'a bucket',
    setting: () => 's3://features/in-flight',
    list: () => keysOf(bucket),
    name: /^in-flight\/bucket\.00000\d\.0\.[\w-]+\.features$/,
    run: 'bucket',
  },
  {
    where: 'a folder, which is made',
    setting: () => join(folder, 'made'),
    list: () => readdir(join(folder, 'made')),
    name: /^folder\.00000\d\.0\.[\w-]+\.features$/,
    run: 'folder',
  },
])('in $where', { timeout: 180_000 }, ({ setting, list, name, run }) => {
  test('they are found by decoders that were told nothing, and removed', async () => {
    const encoder = await start('encoder-worker', { CUTLINE_FEATURES: setting() });
    const producer = await pipeline.startProducer(args(run));
    await waitFor(async () => (await countJobs(redis, 'decode', 'wait')) === 4, {
      deadlineMs: 60_000,
      what: 'all to be encoded',
    });
    expect(await list()).toEqual(Array(4).fill(expect.stringMatching(name)));
    expect(await valuesInRedis()).toEqual([]);
    expect((await encoder.scrape()).value('cutline_feature_bytes')).toBeGreaterThan(4 * 5 * 90);

    await start('decoder-worker');
    await untilDone(producer);
    expectToReconcile(await pipeline.results(run));
    expect(await list()).toEqual([]);
    expect((await encoder.scrape()).value('cutline_feature_bytes')).toBe(0);
  });

  test('encoders hold back, and a run that is cancelled leaves none', async () => {
    const env = { CUTLINE_FEATURES: setting(), CUTLINE_FEATURE_BYTES_MAX: '1000' };
    const encoder = await start('encoder-worker', { ...env, CUTLINE_JOB_CONCURRENCY: '1' });
    const stopped = `${run}-stopped`;
    const producer = await pipeline.startProducer(args(stopped));
    await encoder.waitForLine(/"msg":"holding back/, 60_000);
    expect(await list()).toHaveLength(2);
    const status = async () => {
      const { stdout } = await pipeline.succeed(
        ...['status', stopped, '--json', '--features', setting()],
      );
      return JSON.parse(stdout);
    };
    expect((await status()).featureBytes).toBeGreaterThan(1000);
    await pipeline.succeed('cancel', stopped, '--features', setting());
    await producer.exited;
    expect(await list()).toEqual([]);
    expect((await status()).featureBytes).toBe(0);
    await encoder.waitForLine(/"msg":"going on"/, 60_000);
  });
});

test('a bucket for features that is not there is told of at the start', async () => {
  const worker = await pipeline.launchWorker('encoder-worker', {
    CUTLINE_FEATURES: 's3://nowhere/features',
  });
  expect(await worker.exited).toMatchObject({ code: 2 });
  expect(worker.stderr.at(-1)).toMatch(/"level":"fatal".*nowhere/);
});
