import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { interleave, type Sample } from '../bench/interleave.mjs';
import { LineProcess } from '../bench/line-process.mjs';
import { parseOptions } from '../bench/options.mjs';
import { measureQueues } from '../bench/pipeline/measure-pipelines.mjs';
import { median, summarise } from '../bench/statistics.mjs';

/** That `npm run bench` measures what it says; not how fast anything is. */

const folder = await mkdtemp(join(tmpdir(), 'cutline-bench-test-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const sample = (imagesPerSecond: number): Sample => ({
  images: imagesPerSecond,
  seconds: 1,
  cpuSeconds: 2,
});

describe('interleave', () => {
  test('runs all in turn, there and back, and does not count the first round', async () => {
    const order: string[] = [];
    const subject = (name: string) => ({
      name,
      run: async () => {
        order.push(name);
        return sample(order.length);
      },
    });
    const measured = await interleave([subject('a'), subject('b')], 2);
    expect(order.join('')).toBe('abbaab');
    expect(measured.map(({ samples }) => samples.map(({ images }) => images))).toEqual([
      [4, 5],
      [3, 6],
    ]);
  });

  test('leaves out one that fails, and says why', async () => {
    let runs = 0;
    const failing = {
      name: 'failing',
      run: async () => {
        runs += 1;
        throw new Error('no such device');
      },
    };
    const good = { name: 'good', run: async () => sample(1) };
    const [failed, other] = await interleave([failing, good], 3);
    expect(runs).toBe(1);
    expect(failed?.failure).toBe('no such device');
    expect(other?.samples).toHaveLength(3);
  });
});

describe('summarise', () => {
  test('compares within rounds, so that a machine that slows down changes no ratio', () => {
    const [, second] = summarise([
      { name: 'first', samples: [sample(100), sample(50), sample(25)] },
      { name: 'second', samples: [sample(200), sample(100), sample(50)] },
    ]);
    expect(second?.ratio).toBe(2);
    expect(second?.imagesPerSecond).toEqual({ median: 100, min: 50, max: 200 });
    expect(second?.cpuSecondsPerImage?.median).toBe(0.02);
  });

  test('compares with the first that did not fail', () => {
    const results = summarise([
      { name: 'failing', samples: [], failure: 'no such device' },
      { name: 'good', samples: [sample(10)] },
    ]);
    expect(results.map(({ ratio }) => ratio)).toEqual([undefined, 1]);
  });

  test('the median is the mean of the middle two, or the middle one', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
  });
});

test('a process that ends instead of answering is an error with what it said last', async () => {
  const script = 'console.error("out of memory"); process.exitCode = 3';
  const lines = new LineProcess(process.execPath, ['-e', script]);
  await expect(lines.first()).rejects.toThrow(/ended with 3\nout of memory/);
  await lines.stop();
});

test('a flag that is not known, or a name that is not, is refused', () => {
  expect(() => parseOptions(['--only', 'encode,dance'])).toThrow('--only dance: expected');
  expect(() => parseOptions(['--fast'])).toThrow('--fast');
});

/** What the project promises at batch 64, whatever the machine. */
const redisCommandsPerImageMax = 0.5;

test('the null model goes through both queues, and what that costs is counted', async () => {
  const options = parseOptions(['--quick', '--runs', '1']);
  if (!options) throw new Error('expected options');
  const [result] = (await measureQueues(options, folder)).results;
  expect(result?.failure).toBeUndefined();
  expect(result?.samples?.map(({ images }) => images)).toEqual([options.nullImageCount]);
  expect(result?.imagesPerSecond?.median).toBeGreaterThan(0);
  const { redisCommands = 0, redisCalls = 0, redisBytes = 0 } = result?.perImage ?? {};
  expect(redisCommands).toBeGreaterThan(0);
  expect(redisCommands).toBeLessThanOrEqual(redisCommandsPerImageMax);
  expect(redisCalls).toBeGreaterThan(redisCommands);
  expect(redisBytes).toBeGreaterThan(2 * 100); // its features, in and out
}, 60_000);
