import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessDenied } from './support/fault-proxy.ts';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImage, sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** What people ask of a run, while it is under way and when it is over: its status, a second try. */

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline({
    env: { CUTLINE_FETCH_ATTEMPTS: '1', CUTLINE_REMAINDER_DELAY_MS: '1' },
  });
  await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
  ]);
}, 120_000);

afterAll(() => pipeline?.stop());

describe('failed images', () => {
  const denied = 'failed/photo-0002.jpg';
  const broken = 'failed/photo-0005.jpg';
  let allow = () => {};

  beforeAll(async () => {
    await pipeline.upload(await sampleImages(8), 'failed/');
    await pipeline.source.put(broken, (await sampleImage(5)).subarray(0, 400));
    allow = pipeline.proxy.add({ operation: 'get', key: denied, does: accessDenied });
    const args = ['s3://archive/failed/', '--run', 'failed', '--batch-size', '3'];
    await pipeline.succeed('run', ...args);
    await expectFailures({ 'access-denied': 1, corrupt: 1 });
  }, 120_000);

  const expectFailures = async (failedByClass: Record<string, number>) => {
    const results = await pipeline.results('failed');
    expectToReconcile(results);
    const failed = Object.values(failedByClass).reduce((sum, n) => sum + n, 0);
    expect(results.summary).toMatchObject({ images: 8, captioned: 8 - failed, failedByClass });
    return results;
  };
  const retry = (...classes: string[]) =>
    pipeline.succeed('retry', 'failed', ...classes.flatMap((name) => ['--class', name]));

  test('of a class that there is none of are not tried', { timeout: 60_000 }, async () => {
    expect((await retry('timeout')).stdout).toMatch(/nothing to retry\.$/);
    await expectFailures({ 'access-denied': 1, corrupt: 1 });
  });

  test('fail again where nothing has changed', { timeout: 60_000 }, async () => {
    await retry('access-denied');
    await expectFailures({ 'access-denied': 1, corrupt: 1 });
  });

  test('get captions once the cause is mended, and only they', { timeout: 60_000 }, async () => {
    allow();
    pipeline.proxy.resetCounts();
    const { stderr } = await retry('access-denied');
    expect(stderr).toMatch(/^Trying 1 images? again\.$/m);
    const { rows } = await expectFailures({ corrupt: 1 });
    expect(rows.find(({ key }) => key === denied)?.status).toBe('captioned');
    const fetched = pipeline.proxy.requests.filter(
      ({ operation, bucket }) => operation === 'get' && bucket === 'archive',
    );
    expect(fetched.map(({ key }) => key)).toEqual([denied]);
    expect(await pipeline.status('failed')).toMatchObject({
      progress: { captioned: 7, failed: 1 },
    });
  });

  test('that were replaced since are not what was listed', { timeout: 60_000 }, async () => {
    await pipeline.source.put(broken, await sampleImage(5));
    await retry();
    await expectFailures({ changed: 1 });
  });
});

test('the status of a run under way, and of the same when it is over', {
  timeout: 120_000,
}, async () => {
  await pipeline.upload(await sampleImages(20), 'watched/');
  await pipeline.source.put('watched/photo-0004.jpg', Buffer.alloc(0));
  await pipeline.source.put('watched/readme.txt', Buffer.from('not an image'));
  // The last batch waits for its image.
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const key = 'watched/photo-0019.jpg';
  pipeline.proxy.add({ operation: 'get', key, times: 1, does: { before: () => held } });
  const args = ['s3://archive/watched/', '--run', 'watched', '--batch-size', '5'];
  const producer = await pipeline.startProducer(args);
  await waitFor(async () => (await pipeline.results('watched')).parts.length === 4, {
    deadlineMs: 60_000,
    what: 'all batches but the one that waits',
  });

  const during = await waitFor(
    async () => {
      const now = await pipeline.status('watched');
      return now.progress.captioned === 14 && now;
    },
    { deadlineMs: 60_000, what: 'the parts to be counted' },
  );
  expect(during).toMatchObject({
    run: 'watched',
    hasProducer: true,
    results: 's3://captions/runs/watched/',
    progress: {
      listed: 21,
      listingComplete: 1,
      enqueued: 21,
      encoded: 14,
      captioned: 14,
      skipped: 1,
      failed: 1,
      failedByClass: { empty: 1 },
    },
    queues: {
      encode: { waiting: 0, active: 1, delayed: 0, workers: 1 },
      decode: { waiting: 0, active: 0, delayed: 0, workers: 1 },
    },
    featureBytes: 0,
  });
  expect(await pipeline.refuse('retry', 'watched')).toMatch(
    /^cutline: Run "watched" is being produced by .* already/,
  );

  letGo();
  await untilDone(producer);
  const results = await pipeline.results('watched');
  expectToReconcile(results);
  const { listedBytes: _, ...listed } = during.progress; // known while it is under way
  expect(await pipeline.status('watched')).toMatchObject({
    run: 'watched',
    results: 's3://captions/runs/watched/',
    progress: { ...listed, encoded: 19, captioned: 19 },
    summary: results.summary,
  });
});

test('the status of a run that nobody has heard of', { timeout: 60_000 }, async () => {
  expect(await pipeline.refuse('status', 'unheard')).toMatch(
    /^cutline: There is no run "unheard" in s3:\/\/captions/,
  );
});

describe('sidecars among files that people wrote', () => {
  const own = new Map([
    ['desk/photo-0001.jpg.txt', Buffer.from('Grandmother at the lake')],
    ['desk/photo-0002.jpg.xmp', Buffer.from('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')],
    ['desk/photo-0003.jpg.json', Buffer.from('{"title": "The mill"}')],
  ]);
  const beside = async () => {
    const found = new Map<string, Buffer>();
    for await (const { key } of pipeline.source.list('desk/')) {
      if (/\.(txt|xmp|json)$/.test(key)) found.set(key, (await pipeline.source.get(key)).bytes);
    }
    return found;
  };
  const into = ['--output', 's3://archive'];

  test('harm none of them, and can be withdrawn', { timeout: 120_000 }, async () => {
    await pipeline.upload(await sampleImages(6), 'desk/');
    await pipeline.upload(own);
    const flags = ['--run', 'desk', '--sidecars', 'txt,json,xmp', '--batch-size', '3', ...into];
    const run = await pipeline.succeed('run', 's3://archive/desk/', ...flags);
    expect(run.stdout).toMatch(/^ {2}sidecars {3}3 of yours kept$/m);
    await pipeline.succeed('resume', 'desk', ...into);
    await pipeline.succeed('retry', 'desk', ...into);
    expect((await pipeline.succeed('verify', 'desk', ...into)).stdout).toMatch(/is whole/);

    const written = await beside();
    expect(written.size).toBe(6 * 3);
    for (const [key, bytes] of own) expect(written.get(key), key).toEqual(bytes);

    const withdrawn = await pipeline.succeed('withdraw', 'desk', ...into);
    expect(withdrawn.stdout).toBe('Run desk: 15 files removed');
    expect(await beside()).toEqual(own);
  });
});
