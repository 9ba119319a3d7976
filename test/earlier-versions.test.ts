import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  connectRedis,
  type DecodeJob,
  decodeJobSchema,
  type EncodeJob,
  encodeJobSchema,
  openQueues,
  realWorld,
} from '@cutline/pipeline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';

/**
 * What versions before this one left is read, and gone on with: runs in the output store, and jobs
 * in Redis. Each folder of earlier-versions has, from the version of its date,
 *
 *   runs/finished     32 files in 8 batches: 30 photographs, one that is broken, one that is none
 *   runs/interrupted  the same; everything was killed when the first batch had been decoded
 *   encode-jobs.json, decode-jobs.json   of it, as they were in Redis
 *
 * Never change what is in such a folder. Add one before formats change.
 */

const folder = fileURLToPath(new URL('earlier-versions/', import.meta.url));
const images = 32;

describe.each(readdirSync(folder))('of %s', (version) => {
  let pipeline: Pipeline;

  beforeEach(async () => {
    pipeline = await startPipeline();
    const broken = Buffer.from('ffd8ffe000104a46494600', 'hex');
    const text = Buffer.from('not a photograph');
    await pipeline.upload([
      ...(await sampleImages(30)),
      ...([['broken.jpg', broken] as const, ['notes.txt', text] as const] as const),
    ]);
  });
  afterEach(() => pipeline?.stop());

  const read = (path: string) => readFileSync(`${folder}${version}/${path}`);
  const jobs = <J>(stage: string): J[] => JSON.parse(read(`${stage}-jobs.json`).toString());

  /** Puts a run where that version wrote it. @returns what lies there, by key */
  async function restore(run: string): Promise<Map<string, Buffer>> {
    const path = `runs/${run}`;
    const files = readdirSync(`${folder}${version}/${path}`, { recursive: true, encoding: 'utf8' });
    const objects = new Map(
      files.filter((file) => /\.\w+$/.test(file)).map((file) => [file, read(`${path}/${file}`)]),
    );
    for (const [file, bytes] of objects) await pipeline.output.put(`${path}/${file}`, bytes);
    return objects;
  }

  test('jobs are understood', () => {
    const [encode, decode] = [jobs('encode'), jobs('decode')];
    expect([encode.length, decode.length]).toEqual([8, 8]);
    for (const job of encode) expect(encodeJobSchema.parse(job)).toEqual(job);
    for (const job of decode) expect(decodeJobSchema.parse(job)).toEqual(job);
  });

  test('a finished run is read, verified, left alone by resume, and retried', {
    timeout: 120_000,
  }, async () => {
    const before = await restore('finished');
    await pipeline.succeed('verify', 'finished');
    const { stdout } = await pipeline.succeed('results', 'finished', '--json');
    expect(stdout.split('\n').filter(Boolean)).toHaveLength(images);
    expect(await pipeline.status('finished')).toMatchObject({
      progress: { captioned: 30, skipped: 1, failed: 1 },
    });
    await pipeline.succeed('resume', 'finished');
    for (const [file, bytes] of before) {
      expect((await pipeline.output.get(`runs/finished/${file}`)).bytes).toEqual(bytes);
    }

    await pipeline.startWorker('encoder-worker');
    await pipeline.startWorker('decoder-worker');
    await pipeline.succeed('retry', 'finished', '--class', 'corrupt');
    const results = await pipeline.results('finished');
    expectToReconcile(results);
    expect(results.summary).toMatchObject({
      captioned: 30,
      failed: 1,
      retried: expect.any(String),
    });
  });

  test('an interrupted run and its jobs are gone on with', { timeout: 120_000 }, async () => {
    await restore('interrupted');
    const { model } = JSON.parse(read('runs/interrupted/run.json').toString());
    const redis = await connectRedis(pipeline.redis.url);
    const queues = openQueues({ model, redis, lockMs: 30_000, world: realWorld });
    for (const job of jobs<EncodeJob>('encode').slice(5)) await queues.encode.add(job);
    for (const job of jobs<DecodeJob>('decode').slice(1, 4)) await queues.decode.add(job);
    redis.disconnect();

    const encoder = await pipeline.startWorker('encoder-worker');
    const decoder = await pipeline.startWorker('decoder-worker');
    await untilDone(await pipeline.startProducer(['--resume', '--run', 'interrupted']));
    const results = await pipeline.results('interrupted');
    expectToReconcile(results);
    expect(results.summary).toMatchObject({ images, captioned: 30, skipped: 1, failed: 1 });
    expect([...encoder.stderr, ...decoder.stderr].join('\n')).not.toContain('of this version');
  });
});
