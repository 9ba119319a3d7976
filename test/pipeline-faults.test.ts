import { connectRedis, packFeatures, unpackFeatures } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessDenied, type Effect, slowDown } from './support/fault-proxy.ts';
import { type Pipeline, startPipeline, untilDone, type WorkerProcess } from './support/pipeline.ts';
import type { Process } from './support/processes.ts';
import { countJobs, featuresKey } from './support/redis-keys.ts';
import { expectToReconcile, type RunResults } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** Stores and a Redis that fail for a while, or for good: what becomes of the images. */

let pipeline: Pipeline;
let redis: Redis;
let encoder: WorkerProcess;
let decoder: WorkerProcess;

beforeAll(async () => {
  pipeline = await startPipeline({
    env: {
      CUTLINE_FETCH_ATTEMPTS: '2',
      CUTLINE_RETRY_BASE_MS: '20',
      CUTLINE_REMAINDER_DELAY_MS: '50',
    },
  });
  redis = await connectRedis(pipeline.redis.url);
  [encoder, decoder] = await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
  ]);
}, 120_000);

afterAll(async () => {
  redis?.disconnect();
  await pipeline?.stop();
});

const batchSize = 5;
const serverError: Effect = { status: 500, code: 'InternalError' };
/** Each of two tries in place is two requests: the SDK itself repeats a request once. */
const requestsPerBatch = 4;

describe('an image whose store is unavailable', () => {
  test('for a moment is fetched again in place', { timeout: 60_000 }, async () => {
    const key = 'moment/photo-0003.jpg';
    const before = await encoder.scrape();
    pipeline.proxy.add({ operation: 'get', key, times: requestsPerBatch - 1, does: slowDown });
    const results = await captionAll('moment', 10);
    expect(results.parts).toEqual(['000000.jsonl', '000001.jsonl']);
    const after = await encoder.scrape();
    const rise = (series: string) => after.value(series) - before.value(series);
    expect(rise('cutline_retries_total{stage="fetch"}')).toBe(1);
    expect(rise('cutline_images_total{stage="encode",state="deferred"}')).toBe(0);
  });

  test('for longer comes later, and the others do not wait', { timeout: 60_000 }, async () => {
    const key = 'longer/photo-0003.jpg';
    const before = await encoder.scrape();
    pipeline.proxy.resetCounts();
    pipeline.proxy.add({ operation: 'get', key, times: 2 * requestsPerBatch, does: serverError });
    const results = await captionAll('longer', 10);
    expect(results.parts.toSorted()).toEqual(['000000.0rr.jsonl', '000000.jsonl', '000001.jsonl']);
    expect(results.rows).toHaveLength(10);

    const after = await encoder.scrape();
    const deferred = 'cutline_images_total{stage="encode",state="deferred"}';
    expect(after.value(deferred) - before.value(deferred)).toBe(2);
    // The others had their captions before anything was asked for again.
    const { requests } = pipeline.proxy;
    const written = requests.findIndex((request) => request.key.endsWith('parts/000000.jsonl'));
    const fetched = requests.flatMap((request, index) => (request.key === key ? [index] : []));
    expect(fetched).toHaveLength(2 * requestsPerBatch + 1);
    expect(written).toBeGreaterThan(fetched[requestsPerBatch - 1]!);
    expect(written).toBeLessThan(fetched[requestsPerBatch]!);
  });

  test('for good fails in the end', { timeout: 120_000 }, async () => {
    const key = 'never/photo-0003.jpg';
    const mend = pipeline.proxy.add({ operation: 'get', key, does: serverError });
    const { rows, summary } = await captionAll('never', 10);
    mend();
    expect(summary).toMatchObject({ captioned: 9, failedByClass: { unavailable: 1 } });
    expect(rows.find((row) => row.key === key)).toMatchObject({
      failure: { class: 'unavailable', message: expect.stringMatching(/failed to answer \(500/) },
    });
  });
});

describe('an output store', () => {
  test('that is unavailable for a while gets its parts later', { timeout: 60_000 }, async () => {
    const key = /runs\/later\/parts\/000000\.jsonl$/;
    pipeline.proxy.add({ operation: 'put', key, times: 3, does: slowDown });
    const results = await captionAll('later', 10);
    expect(results.summary).toMatchObject({ captioned: 10, parts: 2 });
    const retries = decoder.stderr.filter((line) => line.includes('"will be tried again"'));
    expect(retries).toEqual([expect.stringMatching(/"run":"later","batch":0,.*asks for fewer/)]);
  });

  test('that refuses parts stops the decoder, and loses nothing', {
    timeout: 120_000,
  }, async () => {
    const key = /runs\/refused\/parts\//;
    const mend = pipeline.proxy.add({ operation: 'put', key, does: accessDenied });
    await pipeline.upload(await sampleImages(10), 'refused/');
    const producer = await startRun('refused');
    expect(await decoder.exited).toEqual({ code: 2, signal: null });
    expect(fatalMessages(decoder)).toEqual([
      'Access to the bucket "captions" is denied: grant these credentials s3:PutObject on it.',
    ]);
    mend();
    decoder = await pipeline.startWorker('decoder-worker');
    await untilDone(producer);
    const results = await pipeline.results('refused');
    expectToReconcile(results);
    expect(results.summary).toMatchObject({ captioned: 10, parts: 2 });
  });

  test('whose parts may not be read ends a producer in one line, and it can go on', {
    timeout: 60_000,
  }, async () => {
    await pipeline.upload(await sampleImages(10), 'unreadable/');
    const key = /runs\/unreadable\/parts\//;
    const mend = pipeline.proxy.add({ operation: 'get', key, does: accessDenied });
    const args = ['run', 's3://archive/unreadable/', '--run', 'unreadable'];
    const { code, stderr } = await pipeline.cutline(...args);
    mend();
    expect(code).toBe(2);
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^cutline: "s3:\/\/captions\/\S+" may not be read: grant s3:GetObject on it\. Go on with: cutline resume unreadable /,
    );
    await pipeline.succeed('resume', 'unreadable');
    expect((await pipeline.results('unreadable')).summary).toMatchObject({ captioned: 10 });
  });

  test('that refuses the run is one line', { timeout: 60_000 }, async () => {
    const key = /runs\/forbidden\/run\.json$/;
    const mend = pipeline.proxy.add({ operation: 'put', key, does: accessDenied });
    const ended = await pipeline.cutline('run', 's3://archive/refused/', '--run', 'forbidden');
    mend();
    expect(ended).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'cutline: Access to the bucket "captions" is denied: grant these credentials ' +
        's3:PutObject on it.',
    });
  });
});

describe('features', () => {
  const blobKey = (run: string, batch: number) => featuresKey(redis, `${run}.00000${batch}.0`);

  test('that are lost or damaged are made again', { timeout: 120_000 }, async () => {
    const producer = await encodeOnly('features', 20);
    const lost = await blobKey('features', 0);
    const changed = await blobKey('features', 1);
    const cut = await blobKey('features', 2);
    expect(await redis.unlink(lost)).toBe(1);
    await redis.setrange(changed, (await redis.strlen(changed)) - 1, '~');
    await redis.set(cut, await redis.getrangeBuffer(cut, 0, -100), 'KEEPTTL');

    decoder = await pipeline.startWorker('decoder-worker');
    await untilDone(producer);
    const results = await pipeline.results('features');
    expectToReconcile(results);
    expect(results.summary).toMatchObject({ captioned: 20 });
    expect(results.parts.toSorted()).toEqual([
      '000000.0e.jsonl',
      '000001.0e.jsonl',
      '000002.0e.jsonl',
      '000003.jsonl',
    ]);
    const metrics = await decoder.scrape();
    expect(metrics.value('cutline_features_lost_total')).toBe(3);
    expect(metrics.value('cutline_feature_bytes')).toBe(0);
  });

  test('of another model stop the decoder, and lose nothing', { timeout: 120_000 }, async () => {
    const producer = await encodeOnly('other', 5);
    const key = await blobKey('other', 0);
    const blob = await redis.getBuffer(key);
    if (!blob) throw new Error('there are no features');
    const { features } = unpackFeatures(blob);
    await redis.set(key, packFeatures('other@0123456789ab', features), 'KEEPTTL');
    decoder = await pipeline.startWorker('decoder-worker');
    expect(await decoder.exited).toEqual({ code: 2, signal: null });
    expect(fatalMessages(decoder)).toEqual([
      expect.stringMatching(
        /^The features of other\.000000\.0 were made by model other@0123456789ab, but this worker has loaded tiny-.* Start encoders and decoders with the same bundle/,
      ),
    ]);

    await redis.set(key, blob, 'KEEPTTL');
    decoder = await pipeline.startWorker('decoder-worker');
    await untilDone(producer);
    expectToReconcile(await pipeline.results('other'));
  });

  /** Stops the decoder, starts a run, and waits until all its features are in Redis. */
  async function encodeOnly(run: string, count: number): Promise<Process> {
    decoder.kill();
    await decoder.exited;
    await pipeline.upload(await sampleImages(count), `${run}/`);
    const producer = await startRun(run);
    await waitFor(async () => (await countJobs(redis, 'decode', 'wait')) === count / batchSize, {
      deadlineMs: 60_000,
      what: `the features of ${run}`,
    });
    return producer;
  }
});

/** A run over the images under its own name, in small batches. */
function startRun(run: string): Promise<Process> {
  const args = [`s3://archive/${run}/`, '--run', run, '--batch-size', String(batchSize)];
  return pipeline.startProducer(args);
}

async function captionAll(run: string, count: number): Promise<RunResults> {
  await pipeline.upload(await sampleImages(count), `${run}/`);
  const producer = await startRun(run);
  await untilDone(producer);
  const results = await pipeline.results(run);
  expectToReconcile(results);
  return results;
}

/** What a worker says that stops for a person to act. */
function fatalMessages({ stderr }: Process): string[] {
  return stderr
    .filter((line) => line.includes('"level":"fatal"'))
    .map((line): string => JSON.parse(line).msg);
}
