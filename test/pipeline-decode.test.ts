import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { slowDown } from './support/fault-proxy.ts';
import { type Pipeline, startPipeline, type WorkerProcess } from './support/pipeline.ts';
import { stopProcess } from './support/processes.ts';
import { expectToReconcile, type RunResults } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { writeTinyBundle } from './support/tiny-bundle.ts';

/**
 * Features that a run has kept are captioned again when its images are gone: with the same options
 * to the same captions, with others to those that a whole run with them gives.
 */

let pipeline: Pipeline;
let bucket: ObjectStore;
let folder: string;
/** Its encoder is that of the model that runs, its decoder is another. */
let otherDecoder: string;
let otherEncoder: string;
/** Whole runs, while the images were there. */
const whole = new Map<string, RunResults>();

const minutes = { timeout: 180_000 };
const source = 's3://archive/kept/';
const inBatches = ['--batch-size', '4'];
const narrow = ['--beam-size', '1', '--length-penalty', '0'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-decode-'));
  otherDecoder = await writeTinyBundle(join(folder, 'other-decoder'), { family: 'lrcn' });
  otherEncoder = await writeTinyBundle(join(folder, 'other-encoder'), { seed: 5 });
  pipeline = await startPipeline({
    env: {
      CUTLINE_FETCH_ATTEMPTS: '1',
      CUTLINE_RETRY_BASE_MS: '20',
      CUTLINE_REMAINDER_DELAY_MS: '50',
    },
  });
  bucket = await openStore(pipeline.s3.createBucket('features'), pipeline.s3.config);
  await pipeline.upload(await sampleImages(30), 'kept/');
  await pipeline.upload(
    [
      ['notes.txt', Buffer.from('no image, and its name says so')],
      ['photo-0009.jpg', Buffer.from('no image, though its name says so')],
      ['photo-0017.jpg', Buffer.alloc(0)],
    ],
    'kept/',
  );
  const others = { CUTLINE_MODEL: otherDecoder };
  const workers = await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
    pipeline.startWorker('encoder-worker', others),
    pipeline.startWorker('decoder-worker', others),
  ]);
  // Batches 0 and 3 have a remainder: their features come from two attempts.
  const stop = ['photo-0002.jpg', 'photo-0012.jpg'].map((name) =>
    pipeline.proxy.add({ operation: 'get', key: `kept/${name}`, times: 2, does: slowDown }),
  );
  await run('first', '--keep-features', 'output');
  for (const each of stop) each();
  await run('bytes', '--feature-type', 'int8', '--keep-features', 's3://features/kept');
  await run('narrow', ...narrow);
  await run('other', '--model', otherDecoder);
  expect(whole.get('first')?.parts).toContain('000000.0r.jsonl');
  await Promise.all(workers.map((worker) => stopProcess(worker, 10_000)));

  for await (const { key } of pipeline.source.list()) await pipeline.source.delete(key);
}, 180_000);

afterAll(async () => {
  bucket?.close();
  await pipeline?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function run(name: string, ...flags: string[]): Promise<void> {
  await pipeline.succeed('run', source, '--run', name, ...inBatches, ...flags);
  const results = await pipeline.results(name);
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ images: 31, captioned: 28, skipped: 1, failed: 2 });
  whole.set(name, results);
}

describe('from features alone', () => {
  const decoders: WorkerProcess[] = [];
  beforeAll(async () => {
    decoders.push(
      await pipeline.startWorker('decoder-worker'),
      await pipeline.startWorker('decoder-worker', { CUTLINE_MODEL: otherDecoder }),
    );
  }, 60_000);
  afterAll(async () => {
    await Promise.all(decoders.map((worker) => stopProcess(worker, 10_000)));
  });

  test.each<[what: string, kept: string, flags: string[], expected: string]>([
    ['the same options give the same rows', 'first', [], 'first'],
    ['other options give the rows of a whole run with them', 'first', narrow, 'narrow'],
    ['another decoder gives those of a whole run with it', 'first', ['other'], 'other'],
    ['features in bytes, kept elsewhere, give what they gave', 'bytes', [], 'bytes'],
  ])('%s', minutes, async (_, kept, flags, expected) => {
    pipeline.proxy.resetCounts();
    const name = `again-${expected}`;
    const options = flags[0] === 'other' ? ['--model', otherDecoder] : flags;
    await pipeline.succeed('decode', kept, '--run', name, ...options);
    const results = await pipeline.results(name);
    expectToReconcile(results);
    expect(results.rows).toEqual(whole.get(expected)?.rows);
    expect(results.manifest).toEqual(whole.get(expected)?.manifest);
    expect(pipeline.proxy.requests.filter((request) => request.bucket === 'archive')).toEqual([]);
  });

  test('whose file is gone, or was changed, its images fail, and no others', minutes, async () => {
    const files: string[] = [];
    for await (const { key } of bucket.list('kept/runs/bytes/features/')) {
      if (key.endsWith('.features')) files.push(key);
    }
    expect(files).toHaveLength(8);
    await bucket.delete(files[0]!);
    await bucket.put(files[1]!, Buffer.from('others'));
    await pipeline.succeed('decode', 'bytes', '--run', 'harmed');
    const results = await pipeline.results('harmed');
    expectToReconcile(results);
    const expected = whole.get('bytes')?.rows ?? [];
    // The first batch begins with what is no image.
    expect(results.summary).toMatchObject({
      failedByClass: { empty: 1, unsupported: 1, 'not-found': 3, corrupt: 4 },
    });
    expect(results.rows.slice(8)).toEqual(expected.slice(8));
  });
});

test(
  'a run that is interrupted goes on, also when all that Redis knew is gone',
  minutes,
  async () => {
    const decode = await pipeline.startCutline(['decode', 'first', '--run', 'stopped']);
    await decode.waitForLine(/no decoder-worker is connected/, 60_000);
    decode.kill('SIGINT');
    expect(await decode.exited).toMatchObject({ code: 130 });
    expect(decode.stderr.at(-1)).toMatch(/cutline resume stopped /);
    await pipeline.redis.kill();
    await pipeline.redis.restart();
    const worker = await pipeline.startWorker('decoder-worker');
    await pipeline.succeed('resume', 'stopped');
    await stopProcess(worker, 10_000);
    const results = await pipeline.results('stopped');
    expectToReconcile(results);
    expect(results.rows).toEqual(whole.get('first')?.rows);
  },
);

describe('it is refused in one line', minutes, () => {
  test.each<[what: string, args: () => string[], message: RegExp]>([
    ['for a run that is not there', () => ['nothing'], /There is no run "nothing"/],
    [
      'for a run that kept no features',
      () => ['narrow'],
      /^cutline: Run "narrow" kept no features: only what "cutline run --keep-features"/,
    ],
    [
      'for a run that has none of its own',
      () => ['again-first'],
      /^cutline: Run "again-first" has the features of run "first": decode that one\.$/,
    ],
    [
      'for a model with another encoder',
      () => ['first', '--model', otherEncoder],
      /^cutline: Model tiny-\S+ has another encoder than tiny-\S+, from which run "first" has its features: choose one with the same encoder/,
    ],
    [
      'for a name that is taken',
      () => ['first', '--run', 'narrow'],
      /There is a run "narrow" already/,
    ],
  ])('%s', async (_, args, message) => {
    expect(await pipeline.refuse('decode', ...args())).toMatch(message);
  });
});
