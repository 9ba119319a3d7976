import { connectRedis } from '@cutline/pipeline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countCommands } from './support/count-commands.ts';
import { metricNamesInInfra } from './support/infra-metrics.ts';
import { type Pipeline, startPipeline, untilDone, type WorkerProcess } from './support/pipeline.ts';
import type { Process } from './support/processes.ts';
import { countJobs } from './support/redis-keys.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages, sampleKeys } from './support/sample-images.ts';
import { scrape } from './support/scrape.ts';
import { waitFor } from './support/wait-for.ts';

/** A run in fair weather: totals, what it costs in requests and commands, and its metrics. */

let pipeline: Pipeline;
let encoder: WorkerProcess;
let decoder: WorkerProcess;

beforeAll(async () => {
  pipeline = await startPipeline();
  [encoder, decoder] = await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
  ]);
}, 120_000);

afterAll(() => pipeline?.stop());

/** More than S3 lists on one page. */
const manyImages = 1_100;

describe(`a run of ${manyImages} images`, () => {
  beforeAll(async () => {
    await pipeline.upload(await sampleImages(manyImages), 'many/');
  }, 120_000);

  test('is listed whole, page by page', async () => {
    pipeline.proxy.resetCounts();
    const { stdout } = await pipeline.succeed('run', 's3://archive/many/', '--dry-run');
    expect(stdout).toMatch(/^ {2}images {5}1,100 of 1,100 keys, [\d.]+ MB$/m);
    // One to see that the bucket is there, and two pages.
    expect(pipeline.proxy.counts()).toEqual({ ...nothing, list: 3 });
  });

  test('costs few requests and commands, and every image is in the metrics', {
    timeout: 180_000,
  }, async () => {
    pipeline.proxy.resetCounts();
    const monitor = await countCommands(pipeline.redis.url, isForJobs);
    const producer = await pipeline.startProducer(['s3://archive/many/', '--run', 'many']);
    const [, port] = await producer.waitForLine(/"httpPort":(\d+),"msg":"serving/, 60_000);
    const declared = (await scrape(Number(port))).names;
    expect(metricNamesInInfra().filter((name) => !declared.has(name))).toEqual([]);
    await untilDone(producer);
    const commands = await monitor.stop();

    const requests = pipeline.proxy.requests.length;
    expect(requests / manyImages).toBeLessThanOrEqual(1.1);
    expect(commands / manyImages).toBeLessThanOrEqual(0.5);

    const results = await pipeline.results('many');
    expectToReconcile(results);
    expect(results.manifest.map(({ key }) => key)).toEqual(
      sampleKeys(manyImages).map((key) => `many/${key}`),
    );
    expect(results.rows.map(({ key }) => key)).toEqual(results.manifest.map(({ key }) => key));
    // They are compacted.
    expect(results.summary).toMatchObject({ captioned: manyImages, parts: 0 });
  });

  test('shows in the metrics of the workers', async () => {
    for (const worker of [encoder, decoder]) {
      const { names } = await worker.scrape();
      expect(metricNamesInInfra().filter((name) => !names.has(name))).toEqual([]);
    }
    const stages = { encode: await encoder.scrape(), decode: await decoder.scrape() };
    const images = (stage: keyof typeof stages, state: string) =>
      stages[stage].value(`cutline_images_total{stage="${stage}",state="${state}"}`);
    expect(images('encode', 'encoded')).toBe(manyImages);
    expect(images('decode', 'captioned')).toBe(manyImages);
    const steps = (stage: keyof typeof stages, step: string) =>
      stages[stage].value(`cutline_step_seconds_count{stage="${step}"}`);
    expect(steps('encode', 'fetch')).toBe(manyImages);
    expect(steps('encode', 'preprocess')).toBe(manyImages);
    for (const step of ['encode', 'store']) expect(steps('encode', step)).toBe(18);
    for (const step of ['load', 'decode', 'write']) expect(steps('decode', step)).toBe(18);
    expect(stages.decode.value('cutline_feature_bytes')).toBe(0);
  });
});

test('what is no image is skipped or fails, each in one row', { timeout: 120_000 }, async () => {
  const images = await sampleImages(5);
  await pipeline.upload(images, 'mixed/');
  await pipeline.upload(
    [
      ['notes.txt', Buffer.from('not an image, and its name says so')],
      ['photo-0002.jpg', Buffer.alloc(0)],
      ['text.jpg', Buffer.from('not an image, but its name says it is one')],
    ],
    'mixed/',
  );
  await pipeline.succeed('run', 's3://archive/mixed/', '--run', 'mixed');
  const results = await pipeline.results('mixed');
  expectToReconcile(results);
  expect(results.summary).toMatchObject({
    images: 7,
    captioned: 4,
    skippedByReason: { 'not-an-image': 1 },
    failedByClass: { empty: 1, unsupported: 1 },
  });
});

test('a prefix without images says so, and is no failure', { timeout: 60_000 }, async () => {
  const ended = await pipeline.succeed('run', 's3://archive/nothing/', '--run', 'nothing');
  expect(ended.stdout).toMatch(/^There are no images to caption there\.$/m);
  expectToReconcile(await pipeline.results('nothing'));
});

test('two runs at a time share the workers, and neither takes the other for itself', {
  timeout: 120_000,
}, async () => {
  decoder.kill();
  await decoder.exited;
  const runs = ['one', 'two'];
  const producers: Process[] = [];
  for (const run of runs) {
    await pipeline.upload(await sampleImages(20), `${run}/`);
    const args = [`s3://archive/${run}/`, '--run', run, '--batch-size', '2'];
    producers.push(await pipeline.startProducer(args));
  }
  // All that is left of both runs stands in one queue, one behind the other.
  const redis = await connectRedis(pipeline.redis.url);
  await waitFor(async () => (await countJobs(redis, 'decode', 'wait')) === 20, {
    deadlineMs: 60_000,
    what: 'the features of both runs',
  });
  redis.disconnect();
  decoder = await pipeline.startWorker('decoder-worker');
  for (const producer of producers) await untilDone(producer);
  for (const run of runs) {
    const results = await pipeline.results(run);
    expectToReconcile(results);
    expect(results.summary).toMatchObject({ captioned: 20, parts: 10 });
    // One pass was enough: nothing was enqueued again that a queue still held.
    expect(results.parts.filter((part) => !/^\d{6}\.jsonl$/.test(part))).toEqual([]);
  }
});

const nothing = { get: 0, head: 0, put: 0, delete: 0, list: 0, other: 0 };

/** Not what the clock sends, whatever the number of images: the look at the bytes in flight. */
function isForJobs(command: string): boolean {
  return !/ZRANGEBYSCORE/.test(command);
}
