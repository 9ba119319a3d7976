import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImage, sampleImages } from './support/sample-images.ts';

/** Workers that end by themselves, and lose nothing by it. */

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.startWorker('decoder-worker');
}, 120_000);

afterAll(() => pipeline?.stop());

const MB = 1e6;

/** What a worker takes that has loaded its model and has nothing to do. */
async function residentBytesAtStart(): Promise<number> {
  const worker = await pipeline.startWorker('encoder-worker');
  const bytes = (await worker.scrape()).value('process_resident_memory_bytes');
  worker.kill();
  await worker.exited;
  return bytes;
}

test('it finishes what it has in hand and ends; another does the rest, and nothing twice', {
  timeout: 180_000,
}, async () => {
  const images = await sampleImages(300);
  // Bytes after its end do a JPEG no harm, and have to be fetched.
  images.set('photo-0150.jpg', Buffer.concat([await sampleImage(1), Buffer.alloc(96 * MB)]));
  await pipeline.upload(images, 'heavy/');

  const memoryBytesMax = (await residentBytesAtStart()) + 64 * MB;
  const recycled = await pipeline.startWorker('encoder-worker', {
    CUTLINE_MEMORY_BYTES_MAX: String(memoryBytesMax),
  });
  const producer = await pipeline.startProducer([
    ...['s3://archive/heavy/', '--run', 'heavy', '--batch-size', '10'],
  ]);
  expect(await recycled.exited).toEqual({ code: 0, signal: null });
  const events = recycled.stderr.map((line) => JSON.parse(line));
  const recycling = events.filter(({ msg }) => msg.startsWith('recycling'));
  expect(recycling).toMatchObject([{ level: 'warn', memoryBytesMax }]);
  expect(recycling[0].residentBytes).toBeGreaterThan(memoryBytesMax);
  const done = events.filter(({ msg }) => msg === 'encode done').length;
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(30);

  const successor = await pipeline.startWorker('encoder-worker');
  await untilDone(producer);
  const results = await pipeline.results('heavy');
  expectToReconcile(results);
  expect(results.summary).toMatchObject({ images: 300, captioned: 300 });
  expect(results.parts).toHaveLength(30);
  const log = successor.stderr.join('\n');
  expect(log.match(/"encode done"/g)).toHaveLength(30 - done);
  expect(log).not.toContain('a worker died holding this job');
  successor.kill();
  await successor.exited;
});

test('a ceiling that a loaded model exceeds is refused in one line', {
  timeout: 60_000,
}, async () => {
  const refused = pipeline.startWorker('encoder-worker', { CUTLINE_MEMORY_BYTES_MAX: '1000' });
  await expect(refused).rejects.toThrow(
    /ended \(2\)(?:.|\n)*"msg":"With its model loaded this worker takes \d+ bytes of memory/,
  );
});

test('one that may leave when it is idle does its work first, and ends with status 0', {
  timeout: 120_000,
}, async () => {
  await pipeline.upload(await sampleImages(40), 'brief/');
  const producer = await pipeline.startProducer([
    ...['s3://archive/brief/', '--run', 'brief', '--batch-size', '10'],
  ]);
  const worker = await pipeline.startWorker('encoder-worker', { CUTLINE_EXIT_WHEN_IDLE: '2' });
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  await untilDone(producer);
  expectToReconcile(await pipeline.results('brief'));
  const log = worker.stderr.join('\n');
  expect(log.match(/"encode done"/g)).toHaveLength(4);
  expect(log).toMatch(/"idleSeconds":[2-9],"msg":"stopping: there was nothing to do"/);
});
