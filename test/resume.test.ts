import { connectRedis } from '@cutline/pipeline';
import type { PartRow } from '@cutline/shared/run';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import type { Process } from './support/processes.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** S3 is the truth, Redis is disposable: runs go on without the producer or the Redis they had. */

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline({ env: { CUTLINE_FETCH_ATTEMPTS: '1' } });
  await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
  ]);
}, 120_000);

afterAll(() => pipeline?.stop());

test('a producer that is killed while it lists', { timeout: 180_000 }, async () => {
  // With two images a batch, the manifest comes in chunks of 256; the second is never written.
  await pipeline.upload(await sampleImages(300), 'killed/');
  const chunk = 'runs/killed/manifest/000001.jsonl.gz';
  const mend = pipeline.proxy.add({ operation: 'put', key: chunk, does: { delayMs: 600_000 } });
  const producer = await pipeline.startProducer([
    ...['s3://archive/killed/', '--run', 'killed', '--batch-size', '2'],
  ]);
  await untilRequested(chunk);
  await untilRequested('runs/killed/parts/000010.jsonl');
  producer.kill('SIGKILL');
  await producer.exited;
  mend();
  const early = await pipeline.results('killed');
  expect(early.manifest).toHaveLength(256);
  expect(early.summary).toBeUndefined();

  await pipeline.succeed('resume', 'killed');
  const results = await pipeline.results('killed');
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ images: 300, captioned: 300 });
});

test('a producer that is told to stop gives the run free', { timeout: 120_000 }, async () => {
  const producer = await runUntil('stopped', 'stopped/photo-0051.jpg', async (producer) => {
    producer.kill('SIGTERM');
    await producer.exited;
  });
  expect(await producer.exited).toMatchObject({ code: 143 });
  const redis = await connectRedis(pipeline.redis.url);
  expect(await redis.exists('cutline:{run:stopped}:producer')).toBe(0);
  redis.disconnect();
  expect((await pipeline.results('stopped')).summary).toBeUndefined();
  await pipeline.succeed('resume', 'stopped');
  await expectAllCaptioned('stopped');
});

describe('Redis is flushed in the middle of a run', () => {
  const flush = async () => {
    const redis = await connectRedis(pipeline.redis.url);
    await redis.flushall();
    redis.disconnect();
  };

  test('and its producer goes on with what the parts lack', { timeout: 120_000 }, async () => {
    const producer = await runUntil('flushed', 'flushed/photo-0051.jpg', flush);
    await untilDone(producer);
    await expectAllCaptioned('flushed');
  });

  test('and its producer is killed: "resume" does', { timeout: 120_000 }, async () => {
    const producer = await runUntil('lost', 'lost/photo-0051.jpg', async (producer) => {
      producer.kill('SIGKILL');
      await flush();
    });
    expect(await producer.exited).toMatchObject({ signal: 'SIGKILL' });
    await pipeline.succeed('resume', 'lost');
    await expectAllCaptioned('lost');
  });

  test('by a crash, and comes back empty', { timeout: 180_000 }, async () => {
    const producer = await runUntil('crashed', 'crashed/photo-0051.jpg', async () => {
      await pipeline.redis.kill();
      await pipeline.redis.restart();
    });
    await untilDone(producer);
    await expectAllCaptioned('crashed');
  });

  test('and its producer keeps hold of it, or gives way', { timeout: 120_000 }, async () => {
    // An image that does not come until it is let go keeps the run from its end.
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const before = () => held;
    const key = 'held/photo-0003.jpg';
    pipeline.proxy.add({ operation: 'get', key, times: 1, does: { before } });
    await pipeline.upload(await sampleImages(10), 'held/');
    const first = await pipeline.startProducer(['s3://archive/held/', '--run', 'held']);
    await untilRequested(key);

    const redis = await connectRedis(pipeline.redis.url);
    const lock = 'cutline:{run:held}:producer';
    await redis.del(lock);
    await waitFor(() => redis.exists(lock).then(Boolean), {
      deadlineMs: 30_000,
      what: 'the producer to take its lock again',
    });
    const second = await pipeline.startProducer(['--resume', '--run', 'held']);
    const ownerIs = async ({ pid }: Process) =>
      (await redis.get(lock))?.includes(`, process ${pid} `) ?? false;
    await waitFor(
      async () => {
        // Both look for a lock that is gone: it goes until the second finds that before the first.
        if (await ownerIs(first)) await redis.del(lock);
        return ownerIs(second);
      },
      { deadlineMs: 60_000, what: 'the second producer to take the lock' },
    );
    expect(await first.exited).toMatchObject({ code: 2 });
    expect(first.stderr.at(-1)).toMatch(
      /"msg":"Run \\"held\\" is being produced by .+, process \d+ already\./,
    );
    letGo();
    await untilDone(second);
    expectToReconcile(await pipeline.results('held'));
    redis.disconnect();
  });
});

test('rows of two attempts at the same images', { timeout: 60_000 }, async () => {
  await pipeline.upload(await sampleImages(6), 'twice/');
  const args = ['s3://archive/twice/', '--run', 'twice', '--batch-size', '3'];
  await pipeline.succeed('run', ...args);
  const before = await pipeline.results('twice');
  // What a worker leaves that had a batch in hand when Redis was flushed.
  const parts = 'runs/twice/parts';
  const { bytes } = await pipeline.output.get(`${parts}/000001.jsonl`);
  const [first = '', ...others] = bytes.toString().split('\n');
  const { key, etag } = JSON.parse(first);
  const failed = { key, etag, status: 'failed', failure: { class: 'timeout', message: 'slow' } };
  await pipeline.output.put(
    `${parts}/000001.5.jsonl`,
    Buffer.from([JSON.stringify(failed), ...others].join('\n')),
  );
  await pipeline.output.put(
    `${parts}/000000.5.jsonl`,
    Buffer.from(`${JSON.stringify({ ...failed, key: before.rows[0]?.key })}\n`),
  );

  await pipeline.succeed('resume', 'twice');
  const { rows, parts: left, ...after } = await pipeline.results('twice');
  expectToReconcile({ rows, parts: left, ...after });
  expect(byKey(rows)).toEqual(byKey(before.rows));
});

test('a run that is finished is not begun again', { timeout: 60_000 }, async () => {
  await pipeline.upload(await sampleImages(3), 'done/');
  const args = ['run', 's3://archive/done/', '--run', 'done'];
  await pipeline.succeed(...args);
  const { summary: first, ...results } = await pipeline.results('done');

  expect(await pipeline.refuse(...args)).toContain(
    'There is a run "done" already at s3://captions/runs/done/.',
  );

  pipeline.proxy.resetCounts();
  await pipeline.succeed('resume', 'done');
  const { summary: second, ...same } = await pipeline.results('done');
  expect(same).toEqual(results);
  expect(second).toEqual(first);
  // It is only looked at: nothing is claimed, deleted or written.
  const operations = new Set(pipeline.proxy.requests.map(({ operation }) => operation));
  expect([...operations].filter((each) => each === 'put' || each === 'delete')).toEqual([]);
});

const minutes = { timeout: 180_000 };

describe('a producer that is started again with the same flags (--go-on)', () => {
  const started = (run: string, ...more: string[]) =>
    pipeline.startProducer([
      ...[`s3://archive/${run}/`, '--run', run, '--batch-size', '5', '--go-on', ...more],
    ]);
  const refusal = async (producer: Process) => {
    expect(await producer.exited).toMatchObject({ code: 2 });
    return JSON.parse(producer.stderr.at(-1) ?? '{}').msg;
  };

  test('goes on after it was killed, and has nothing to do at the end', minutes, async () => {
    const first = await runUntil(
      'again',
      'again/photo-0051.jpg',
      async (producer) => producer.kill('SIGKILL'),
      ['--go-on'],
    );
    await first.exited;
    await expireLock('again');
    await untilDone(await started('again'));
    await expectAllCaptioned('again');
    pipeline.proxy.resetCounts();
    await untilDone(await started('again'));
    expect(pipeline.proxy.counts()).toMatchObject({ put: 0, delete: 0 });
    expect(await refusal(await started('again', '--limit', '7'))).toContain(
      'There is a run "again" already',
    );
  });

  test('leaves a run alone that somebody cancelled meanwhile', minutes, async () => {
    const producer = await runUntil(
      'unwanted',
      'unwanted/photo-0051.jpg',
      async (producer) => producer.kill('SIGKILL'),
      ['--go-on'],
    );
    await producer.exited;
    await pipeline.succeed('cancel', 'unwanted');
    expect(await refusal(await started('unwanted'))).toBe(
      'Run "unwanted" was cancelled. To go on with it: cutline resume unwanted',
    );
  });
});

/** Starts a run of 100 images, and does something when it comes to one of them. */
async function runUntil(
  run: string,
  key: string,
  hit: (producer: Process) => Promise<void> | void,
  more: readonly string[] = [],
): Promise<Process> {
  await pipeline.upload(await sampleImages(100), `${run}/`);
  const started = pipeline.startProducer([
    ...[`s3://archive/${run}/`, '--run', run, '--batch-size', '5', ...more],
  ]);
  const reached = new Promise<void>((resolve) => {
    const before = async () => resolve(await hit(await started));
    pipeline.proxy.add({ operation: 'get', key, times: 1, does: { before } });
  });
  await reached;
  return started;
}

/** What its time does to the lock of the dead, a quarter of a minute later: one test waits for it. */
async function expireLock(run: string): Promise<void> {
  const redis = await connectRedis(pipeline.redis.url);
  await redis.del(`cutline:{run:${run}}:producer`);
  redis.disconnect();
}

async function expectAllCaptioned(run: string): Promise<void> {
  const results = await pipeline.results(run);
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ images: 100, captioned: 100 });
}

function byKey(rows: readonly PartRow[]): PartRow[] {
  return rows.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function untilRequested(key: string): Promise<unknown> {
  return waitFor(() => pipeline.proxy.requests.some((request) => request.key === key), {
    deadlineMs: 60_000,
    what: `a request for ${key}`,
  });
}
