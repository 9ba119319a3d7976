import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline, untilDone, type WorkerProcess } from './support/pipeline.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** Runs of one model beside each other: whose batches an encoder takes first. */

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.upload(await sampleImages(48));
  await pipeline.startWorker('decoder-worker');
}, 120_000);

afterAll(() => pipeline?.stop());

const produce = (run: string, ...flags: string[]) =>
  pipeline.startProducer(['s3://archive/', '--run', run, '--batch-size', '4', ...flags]);

/** Waits until so many batches of the run wait for an encoder. */
const untilEnqueued = (run: string, batches: number) =>
  waitFor(async () => (await pipeline.status(run)).queues?.encode.waiting >= batches, {
    deadlineMs: 30_000,
    what: `${batches} batches in the queue`,
  });

/** The runs of the batches that it has encoded, in their order. */
const encodedBy = ({ stderr }: WorkerProcess): string[] =>
  stderr.flatMap((line) => (line.includes('"encode done"') ? [JSON.parse(line).run] : []));

test('high before normal before low, whichever was begun first', { timeout: 120_000 }, async () => {
  const low = await produce('low', '--priority', 'low');
  await untilEnqueued('low', 12);
  const normal = await produce('normal');
  await untilEnqueued('normal', 24);
  const high = await produce('high', '--priority', 'high');
  await untilEnqueued('high', 36);
  const encoder = await pipeline.startWorker('encoder-worker', { CUTLINE_JOB_CONCURRENCY: '1' });
  for (const producer of [low, normal, high]) await untilDone(producer);
  const of = (run: string) => Array.from({ length: 12 }, () => run);
  expect(encodedBy(encoder)).toEqual([...of('high'), ...of('normal'), ...of('low')]);
  for (const run of ['low', 'normal', 'high']) await pipeline.succeed('verify', run);
  encoder.kill();
  await encoder.exited;
});

test('runs of one priority share the workers, window by window', { timeout: 120_000 }, async () => {
  const first = await produce('first', '--window', '3');
  await untilEnqueued('first', 3);
  const second = await produce('second', '--window', '3');
  await untilEnqueued('second', 6);
  const encoder = await pipeline.startWorker('encoder-worker', { CUTLINE_JOB_CONCURRENCY: '1' });
  await untilDone(first);
  await untilDone(second);
  const encoded = encodedBy(encoder);
  expect(encoded.indexOf('second')).toBeLessThan(encoded.lastIndexOf('first'));
  expect(encoded.indexOf('first')).toBeLessThan(encoded.lastIndexOf('second'));
});
