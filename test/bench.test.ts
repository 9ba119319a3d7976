import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defaultBundleFolder, describeBundle, modelSize } from '@cutline/inference';
import { afterAll, describe, expect, test } from 'vitest';
import { compare } from '../bench/contenders/compare-captions.mjs';
import { measureStages } from '../bench/contenders/measure-stages.mjs';
import type { Contender } from '../bench/contenders/start-contenders.mjs';
import { interleave, type Sample } from '../bench/interleave.mjs';
import { LineProcess } from '../bench/line-process.mjs';
import { parseOptions } from '../bench/options.mjs';
import { measureQueues } from '../bench/pipeline/measure-pipelines.mjs';
import { median, summarise } from '../bench/statistics.mjs';
import { formatTargets, targets } from '../bench/targets.mjs';

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

describe('measureStages', () => {
  const request = { task: 'decode', secondsMin: 1 };
  const requests = [{ id: 'decode:3', title: 'Decode', request }];

  test('measures contenders that were started for the round, at their second run', async () => {
    const start = async (round: number) => {
      let runs = 0;
      return [contender('a', async () => sample(10 * round + ++runs))];
    };
    const [table] = await measureStages(requests, { runs: 2, start });
    expect(table?.results[0]?.samples?.map(({ images }) => images)).toEqual([2, 12]);
  });

  test('leaves out one that does not come back', async () => {
    const start = async (round: number) =>
      [contender('a', async () => sample(1)), contender('b', async () => sample(2))].slice(round);
    const [table] = await measureStages(requests, { runs: 2, start });
    expect(table?.results).toMatchObject([
      { name: 'a', failure: 'it could not be started again' },
      { name: 'b', imagesPerSecond: { median: 2 } },
    ]);
  });

  function contender(name: string, run: Contender['run']): Contender {
    return { name, description: name, tasks: ['decode'], run, stop: async () => {} };
  }
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

describe('targets', () => {
  const nothing = { tables: [], agreement: [] };
  const table = (id: string, rows: Record<string, Sample[]>) => {
    const measured = Object.entries(rows).map(([name, samples]) => ({ name, samples }));
    return { id, title: id, results: summarise(measured) };
  };

  test('are ratios within rounds, of what was measured', () => {
    const slowing = [sample(200), sample(100), sample(50)];
    const peer = [sample(50), sample(20), sample(20)];
    const tables = [table('encode:32', { onnx: slowing, 'python pytorch': peer })];
    expect(targets({ ...nothing, tables }, 1)).toEqual([
      {
        what: 'encode 32: onnx ÷ python pytorch, images/s',
        atLeast: 3,
        measured: { median: 4, min: 2.5, max: 5 },
        met: true,
      },
    ]);
  });

  test('compare the CPU time of a pipeline with that of one process', () => {
    const spending = (cpuSeconds: number) => ({ images: 1, seconds: 1, cpuSeconds });
    const tables = [
      table('pipeline', {
        onnx: [spending(3), spending(6)],
        'onnx in one process': [spending(2), spending(4)],
      }),
    ];
    const [ratio] = targets({ ...nothing, tables }, 1);
    expect(ratio).toMatchObject({ measured: { median: 1.5 }, atMost: 1.15, met: false });
    expect(formatTargets(ratio ? [ratio] : [])).toMatch(/CPU time +1\.5 +at most 1\.15 +missed/);
  });

  test('ask for costs that were not counted, too', () => {
    const missed = targets({ ...nothing, tables: [table('pipeline', { onnx: [sample(1)] })] }, 1);
    expect(missed.map(({ met }) => met)).toEqual([false, false, false]);
  });
});

test('captions are compared image by image, and what differs by its score', () => {
  const said = (caption: string, score: number) => ({ caption, score });
  const expected = { a: said('a dog', -1), b: said('two dogs', -2), c: said('snow', -3) };
  const others = { b: said('two cats', -2.0005), a: said('a dog', -1.002), c: said('snow', -3) };
  const { scoreDifference, tieDifference, ...counts } = compare(expected, others);
  expect(counts).toEqual({ images: 3, same: 2 });
  expect(scoreDifference).toBeCloseTo(0.002);
  expect(tieDifference).toBeCloseTo(0.0005);
  expect(compare(expected, {})).toMatchObject({ same: 0, tieDifference: Number.POSITIVE_INFINITY });
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
  expect(Object.keys(result?.eventLoopLagP99 ?? {})).toEqual(['encoder', 'decoder']);
  for (const seconds of Object.values(result?.eventLoopLagP99 ?? {})) {
    expect(Math.abs(seconds)).toBeLessThan(60); // and is a number
  }
}, 60_000);

describe('what a model says it takes', () => {
  const program = fileURLToPath(new URL('../bench/published/measure-stage.mjs', import.meta.url));
  const measure = async (stage: 'encode' | 'decode', images: number) => {
    const args = [program, defaultBundleFolder(), stage, String(images), '0'];
    return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
  };

  test.each(['encode', 'decode'] as const)('%s: is about what it takes', async (stage) => {
    const { description } = await describeBundle(defaultBundleFolder());
    await measure(stage, 1); // a first start, without a cache, takes more
    for (const estimated of modelSize(description).memory) {
      const { images, rssBytesMax } = await measure(stage, estimated.images);
      expect(images).toBe(estimated.images);
      const ratio = estimated[`${stage}Bytes`] / rssBytesMax;
      // Of so small a model most is the program's, which differs with versions of Node.js.
      expect(ratio).toBeGreaterThan(0.67);
      expect(ratio).toBeLessThan(1.5);
    }
  });
});
