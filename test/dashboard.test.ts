import { afterAll, beforeAll, expect, test } from 'vitest';
import { askPage } from './support/ask-page.ts';
import { type Pipeline, startPipeline } from './support/pipeline.ts';
import { sampleImages } from './support/sample-images.ts';

/** `cutline dashboard` as it is from outside: what it tells its page, beside a run. */

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.upload([...(await sampleImages(8)), ['notes.jpg', Buffer.from('no photograph')]]);
}, 60_000);
afterAll(() => pipeline?.stop());

test('tells of a run, its queues and workers, and of what failed', {
  timeout: 120_000,
}, async () => {
  const workers = [
    await pipeline.startWorker('encoder-worker'),
    await pipeline.startWorker('decoder-worker'),
  ];
  await pipeline.succeed('run', 's3://archive/', '--run', 'spring');
  const dashboard = await pipeline.startCutline(['dashboard']);
  const [address] = await dashboard.waitForLine(/http:\/\/127\S+/, 30_000);
  const ask = (path: string, body?: object) => askPage(address, path, body);

  const { model } = (await pipeline.results('spring')).summary ?? {};
  const { seen } = await ask('/api/overview');
  expect(seen.runs).toMatchObject([
    { run: 'spring', model, state: 'finished', listed: 9, captioned: 8, skipped: 0, failed: 1 },
  ]);
  expect(seen.queues).toMatchObject([
    { model, stage: 'encode', waiting: 0, active: 0, workers: 1 },
    { model, stage: 'decode', waiting: 0, active: 0, workers: 1 },
  ]);
  expect(seen.workers).toMatchObject([
    { program: 'decoder-worker', model, backend: 'onnx' },
    { program: 'encoder-worker', model, backend: 'onnx' },
  ]);
  expect(seen.redis).toMatchObject({ isWritable: true, limitBytes: null });
  expect(await ask('/api/failures', { run: 'spring' })).toEqual({
    examples: [{ class: expect.any(String), key: 'notes.jpg', message: expect.any(String) }],
  });

  // Workers that end in good order are struck out.
  for (const worker of workers) worker.kill();
  for (const worker of workers) await worker.exited;
  await expect.poll(async () => (await ask('/api/overview')).seen.workers).toEqual([]);

  pipeline.redis.pause();
  const silent = await ask('/api/overview');
  expect(silent).toEqual({ contact: expect.stringMatching(/^2\d{3}-/) });
  pipeline.redis.resume();
  await expect
    .poll(async () => (await ask('/api/overview')).seen, { timeout: 20_000 })
    .toBeTruthy();

  dashboard.kill('SIGINT');
  expect(await dashboard.exited).toEqual({ code: 0, signal: null });
});
