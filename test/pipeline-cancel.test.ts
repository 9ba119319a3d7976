import { connectRedis } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import { countJobs } from './support/redis-keys.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** A run that is called off: nothing of it is left in Redis, nothing of what it has is lost. */

let pipeline: Pipeline;
let redis: Redis;

beforeAll(async () => {
  pipeline = await startPipeline({ env: { CUTLINE_JOB_CONCURRENCY: '2' } });
  redis = await connectRedis(pipeline.redis.url);
  await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
  ]);
}, 120_000);

afterAll(async () => {
  redis?.disconnect();
  await pipeline?.stop();
});

/** A look at the queue costs less than `status`, which reads the run. */
const untilWaiting = (count: number, what: string) =>
  waitFor(async () => (await countJobs(redis, 'encode', 'wait')) === count, {
    deadlineMs: 60_000,
    what,
  });

test('a run that is cancelled, beside one that is not, and goes on later', {
  timeout: 180_000,
}, async () => {
  await pipeline.upload(await sampleImages(20), 'stopped/');
  await pipeline.upload(await sampleImages(4), 'other/');
  // Two batches get their images; the next two wait for theirs, in hand; six wait in the queue.
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const key = /^stopped\/photo-00(0[4-9]|1)/;
  pipeline.proxy.add({ operation: 'get', key, does: { before: () => held } });
  const args = (name: string) => [`s3://archive/${name}/`, '--run', name, '--batch-size', '2'];
  const run = await pipeline.startCutline(['run', ...args('stopped')]);
  await untilWaiting(6, 'six batches to wait for those before them');
  await waitFor(
    async () => {
      const { progress, queues } = await pipeline.status('stopped');
      return progress.captioned === 4 && queues.encode.waiting === 6 && queues.encode.active === 2;
    },
    { deadlineMs: 60_000, what: 'two batches to be captioned and two to be in hand' },
  );
  const other = await pipeline.startProducer(args('other'));
  await untilWaiting(8, 'the other run to be enqueued');

  const cancel = await pipeline.startCutline(['cancel', 'stopped']);
  expect(await run.exited).toMatchObject({ code: 2 });
  expect(run.stderr.join('\n')).toMatch(
    /cutline: Run "stopped" was cancelled by .+\. Go on with: cutline resume stopped /,
  );
  await untilWaiting(2, 'its waiting batches to be gone, and only those');
  letGo();
  await untilDone(cancel);
  // What was in hand is encoded then, and may be captioned or withdrawn.
  expect(cancel.stdout[0]).toMatch(
    /^Run stopped is cancelled: ([6-9]|10) batches were taken off the queues\.$/,
  );
  expect(cancel.stdout[2]).toBe('Go on with: cutline resume stopped --output s3://captions');

  await untilDone(other);
  expectToReconcile(await pipeline.results('other'));
  expect(await pipeline.status('stopped')).toMatchObject({
    hasProducer: false,
    featureBytes: 0,
    queues: {
      encode: { waiting: 0, active: 0, delayed: 0 },
      decode: { waiting: 0, active: 0, delayed: 0 },
    },
  });

  await pipeline.succeed('resume', 'stopped');
  const results = await pipeline.results('stopped');
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ images: 20, captioned: 20 });
  const again = await pipeline.succeed('cancel', 'stopped');
  expect(again.stdout).toBe('Run stopped is finished: there is nothing to cancel.');
});
