import {
  closeQueues,
  connectRedis,
  type EncodeJob,
  openQueues,
  RedisFeatures,
  realWorld,
} from '@cutline/pipeline';
import { RunStore, readChunk, readRunState } from '@cutline/shared/run';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Environment,
  type Pipeline,
  startPipeline,
  untilDone,
  type WorkerName,
} from './support/pipeline.ts';
import type { Process } from './support/processes.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** Workers that end in the middle of their work, in every way: nothing is lost, nothing twice. */

let pipeline: Pipeline;
const workers = new Map<WorkerName, Process>();

const start = async (name: WorkerName, env?: Environment) => {
  const worker = await pipeline.startWorker(name, env);
  workers.set(name, worker);
  return worker;
};
const running = (name: WorkerName) => workers.get(name) as Process;

beforeAll(async () => {
  // What a dead worker held goes to another after two to four seconds.
  pipeline = await startPipeline({ env: { CUTLINE_JOB_LOCK_MS: '2000' } });
  await Promise.all([start('encoder-worker'), start('decoder-worker')]);
}, 120_000);

afterAll(() => pipeline?.stop());

/** The moments at which a worker is hit: in the middle of 200 images in batches of 5. */
const moments = [
  { worker: 'encoder-worker', operation: 'get', key: /photo-0117\.jpg$/ },
  { worker: 'decoder-worker', operation: 'put', key: /parts\/000023\.jsonl$/ },
] as const;

describe.each(moments)('the $worker', ({ worker, operation, key }) => {
  /** Starts a run of 200 images, and does something to the worker at its moment. */
  async function runUntilMoment(run: string, hit: (worker: Process) => void): Promise<Process> {
    await pipeline.upload(await sampleImages(200), `${run}/`);
    const reached = new Promise<void>((resolve) => {
      const before = async () => {
        hit(running(worker));
        resolve();
      };
      pipeline.proxy.add({ operation, key, times: 1, does: { before } });
    });
    const producer = await pipeline.startProducer([
      ...[`s3://archive/${run}/`, '--run', run, '--batch-size', '5'],
    ]);
    await Promise.race([reached, failWhenEnded(producer)]);
    return producer;
  }

  test('is killed: another does what it held, and nothing twice', {
    timeout: 180_000,
  }, async () => {
    const run = `kill-${worker}`;
    const producer = await runUntilMoment(run, (process) => process.kill('SIGKILL'));
    expect(await running(worker).exited).toMatchObject({ signal: 'SIGKILL' });
    await start(worker);
    await untilDone(producer);
    await expectAllCaptioned(run);
  });

  test('is told to stop: it finishes what it has in hand', { timeout: 180_000 }, async () => {
    const run = `stop-${worker}`;
    const told = running(worker);
    const producer = await runUntilMoment(run, (process) => process.kill('SIGTERM'));
    expect(await told.exited).toEqual({ code: 0, signal: null });
    // The batch of the moment, and the other one that it may have had in hand; no more.
    const lines = told.stderr.slice(told.stderr.findIndex((line) => /"msg":"stopping"/.test(line)));
    const done = lines.filter((line) => /(en|de)code done"/.test(line));
    expect([1, 2], lines.join('\n')).toContain(done.length);
    const restarted = await start(worker);
    await untilDone(producer);
    await expectAllCaptioned(run);
    expect(restarted.stderr.join('\n')).not.toContain('a worker died holding this job');
  });
});

test('a stop that misses its deadline ends all the same, and loses nothing', {
  timeout: 180_000,
}, async () => {
  running('encoder-worker').kill();
  await running('encoder-worker').exited;
  const hasty = await start('encoder-worker', { CUTLINE_SHUTDOWN_MS: '500' });
  await pipeline.upload(await sampleImages(20), 'hasty/');
  const mend = pipeline.proxy.add({ key: 'hasty/photo-0003.jpg', does: { delayMs: 600_000 } });
  const producer = await pipeline.startProducer(['s3://archive/hasty/', '--run', 'hasty']);
  await waitFor(() => pipeline.proxy.requests.some(({ key }) => key === 'hasty/photo-0003.jpg'), {
    deadlineMs: 60_000,
    what: 'the image that does not come',
  });
  hasty.kill();
  expect(await hasty.exited).toEqual({ code: 1, signal: null });
  expect(hasty.stderr.join('\n')).toContain('not finished by the deadline');
  mend();
  await start('encoder-worker');
  await untilDone(producer);
  const results = await pipeline.results('hasty');
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ captioned: 20 });
});

test('an image that kills workers becomes a failure, and the others of its batch captions', {
  timeout: 240_000,
}, async () => {
  const deadly = 'deadly/photo-0002.jpg';
  await pipeline.upload(await sampleImages(5), 'deadly/');
  let deaths = 0;
  const before = async () => {
    deaths += 1;
    running('encoder-worker').kill('SIGKILL');
    await running('encoder-worker').exited;
    // As whatever supervises it would. Sooner than elsewhere, what it held goes to this one.
    void start('encoder-worker', { CUTLINE_JOB_LOCK_MS: '1000' });
  };
  const mend = pipeline.proxy.add({ operation: 'get', key: deadly, does: { before } });
  const args = ['s3://archive/deadly/', '--run', 'deadly', '--batch-size', '3'];
  const producer = await pipeline.startProducer(args);
  await untilDone(producer);
  mend();

  const results = await pipeline.results('deadly');
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ captioned: 4, failedByClass: { 'worker-lost': 1 } });
  expect(results.rows.find(({ key }) => key === deadly)).toMatchObject({
    failure: { class: 'worker-lost', message: '2 workers died holding this image' },
  });
  // One with whatever else was in hand, two with the batch of three alone, two with the image alone.
  expect(deaths).toBe(5);
});

test('a job that comes late, when its run is over, leaves nothing behind', {
  timeout: 120_000,
}, async () => {
  await pipeline.upload(await sampleImages(3), 'again/');
  await pipeline.succeed('run', 's3://archive/again/', '--run', 'again');
  const before = await pipeline.results('again');
  const runStore = new RunStore(pipeline.output, '', 'again');
  const { run, claims } = await readRunState(runStore);
  const { model, options, sidecars, source } = run;
  const job: EncodeJob = {
    ...{ run: 'again', batch: 0, attempt: '0', source: source.store, model, options, sidecars },
    featureType: 'float16',
    keep: null,
    output: { store: pipeline.output.url, prefix: '' },
    images: (await readChunk(runStore, claims, 0)).images,
  };
  const redis = await connectRedis(pipeline.redis.url);
  const queues = openQueues({ model, redis, lockMs: 30_000, world: realWorld });
  try {
    // What a producer does that slept through the end of its run.
    await redis.del(`{cutline-${model.split('@')[1]}}:${queues.encode.name}:again.000000.0`);
    expect(await queues.encode.addNew(job)).toBe(true);
    await waitFor(async () => (await queues.encode.live('again')).length === 0, {
      deadlineMs: 60_000,
      what: 'the batch to be dropped',
    });
  } finally {
    await closeQueues(queues);
    redis.disconnect();
  }
  expect(await featureBytes()).toBe(0);
  expect(await pipeline.results('again')).toEqual(before);
});

async function expectAllCaptioned(run: string): Promise<void> {
  const results = await pipeline.results(run);
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ images: 200, captioned: 200 });
  expect(results.parts).toHaveLength(40);
  expect(await featureBytes()).toBe(0);
}

async function featureBytes(): Promise<number> {
  const redis = await connectRedis(pipeline.redis.url);
  const bytes = await new RedisFeatures(redis, { ttlMs: 1 }).bytesInFlight();
  redis.disconnect();
  return bytes;
}

async function failWhenEnded({ exited, stderr }: Process): Promise<never> {
  const end = await exited;
  throw new Error(`the run ended too early: ${JSON.stringify(end)} ${stderr.slice(-5).join('\n')}`);
}
