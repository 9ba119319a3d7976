import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import {
  decodeImage,
  defaultBundleFolder,
  type InferencePool,
  startInference,
} from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { photographs } from '../../../scripts/photographs.mjs';
import { tinyBundleFiles } from '../../captioner/test/support/tiny-model.ts';

const bundleFolder = defaultBundleFolder();
const both = { bundleFolder, stages: { encode: true, decode: true }, backend: 'wasm' } as const;

let pool: InferencePool;
/** [9, 224, 224, 3] */
let pixels: Buffer;
/** Of all of them, encoded together. */
let features: Buffer;
let imageBytes: number;
let featureBytes: number;

beforeAll(async () => {
  // Device batches of 4: nine images make pieces of different sizes, on both threads.
  pool = await startInference({ ...both, threads: 2, deviceBatch: 4 });
  const decoded = await Promise.all(
    photographs().map(async ({ path }) => {
      const bytes = await readFile(path);
      const limits = { pixelsMax: 1e8, timeoutMs: 20_000 };
      return (await decodeImage(bytes, pool.model.preprocessing, limits)).pixels;
    }),
  );
  pixels = Buffer.concat(decoded);
  imageBytes = pixels.length / photographs().length;
  featureBytes = pool.model.features.locations * pool.model.features.channels * 2;
  features = Buffer.from(await pool.encode(pixels, photographs().length));
});
afterAll(() => pool.close());

const imageAt = (i: number) => pixels.subarray(i * imageBytes, (i + 1) * imageBytes);

test('says what it has loaded', () => {
  expect(pool.model).toMatchObject({
    id: expect.stringMatching(/^mobilenet-v2-show-attend-tell-broad@[0-9a-f]{12}$/),
    features: { locations: 49, channels: 512 },
    decoding: { beamSize: 5 },
  });
  expect(pool.backend).toBe('wasm');
  expect(pool.backendReason).toMatch(/WebAssembly.*asked for/);
});

test('an image’s row does not depend on the images it came with', async () => {
  const options = { ...pool.model.decoding, attention: true };
  expect(features).toHaveLength(photographs().length * featureBytes);
  const together = await pool.decode(features, photographs().length, options);
  const alone = await Promise.all(
    photographs().map(async (_, i) => pool.decode(await pool.encode(imageAt(i), 1), 1, options)),
  );
  expect(together).toEqual(alone.flat());
  // Not one answer for all, which would make the comparison worthless.
  expect(new Set(together.map(({ caption }) => caption)).size).toBeGreaterThan(5);
});

test('returns n candidates, and where the model looked for each word', async () => {
  const options = { ...pool.model.decoding, candidates: 3, attention: true };
  const [best] = await pool.decode(await pool.encode(imageAt(7), 1), 1, options);
  expect(best?.candidates).toHaveLength(3);
  expect(best?.candidates[0]).toEqual({
    caption: best?.caption,
    logProb: best?.logProb,
    score: best?.score,
  });
  expect(best?.attention).toHaveLength(best?.caption.split(' ').length ?? 0);
  for (const weights of best?.attention ?? []) {
    expect(weights).toHaveLength(49);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 2);
  }
  for (const { logProb } of best?.candidates ?? []) {
    expect(Number(logProb.toFixed(4)), 'at most 4 decimals').toBe(logProb);
  }
});

test('leaves the caller’s arrays alone, also views of a larger Buffer', async () => {
  const before = Buffer.from(imageAt(1));
  const features = await pool.encode(imageAt(1), 1);
  expect(imageAt(1).equals(before)).toBe(true);
  const packed = Buffer.concat([Buffer.alloc(7), features]).subarray(7); // not aligned
  const [a] = await pool.decode(packed, 1, pool.model.decoding);
  const [b] = await pool.decode(features, 1, pool.model.decoding);
  expect(a).toEqual(b);
  expect(packed.equals(features)).toBe(true);
});

test('features in bytes take half of float16’s, and hold captions', async () => {
  const { features: shape, decoding } = pool.model;
  const count = photographs().length;
  const bytes = await pool.encode(pixels, count, 'int8');
  expect(bytes).toHaveLength(count * shape.locations * (shape.channels + 4));
  const found = await pool.decode(bytes, count, decoding, 'int8');
  const [alone] = await pool.decode(await pool.encode(imageAt(2), 1, 'int8'), 1, decoding, 'int8');
  expect(alone).toEqual(found[2]);
  const exact = await pool.decode(features, count, decoding);
  for (const [n, { logProb }] of found.entries()) {
    expect(Math.abs(logProb - (exact[n]?.logProb as number)), `image ${n}`).toBeLessThan(0.5);
  }
  await expect(pool.decode(features, count, decoding, 'int8')).rejects.toThrow(/take \d+ bytes/);
});

test('divides a batch over idle threads; where none is idle, no finer than device batches', async () => {
  const decode = (count: number) =>
    pool.decode(features.subarray(0, count * featureBytes), count, pool.model.decoding);
  const expected = await decode(8);
  const sent = vi.spyOn(Worker.prototype, 'postMessage');
  const found = await Promise.all([decode(4), decode(3), decode(8)]);
  const counts = sent.mock.calls.map(([request]) => request.count);
  sent.mockRestore();
  expect(counts).toEqual([2, 2, 3, 4, 4]);
  expect(found).toEqual([expected.slice(0, 4), expected.slice(0, 3), expected]);
});

test('no images, no work', async () => {
  expect(await pool.encode(new Uint8Array(), 0)).toHaveLength(0);
  expect(await pool.decode(new Uint8Array(), 0, pool.model.decoding)).toEqual([]);
});

test('refuses arrays that are not as long as the count says', async () => {
  await expect(pool.encode(imageAt(0), 2)).rejects.toThrow(
    '2 images of 224×224 pixels take 301056 bytes, got 150528',
  );
  await expect(pool.decode(new Uint8Array(8), 1, pool.model.decoding)).rejects.toThrow(
    'features [1,49,512] take 50176 bytes, got 8',
  );
});

test('a request that fails leaves the thread well', async () => {
  const features = await pool.encode(imageAt(0), 1);
  const impossible = { ...pool.model.decoding, beamSize: 0 };
  await expect(pool.decode(features, 1, impossible)).rejects.toThrow(/beamSize/);
  await expect(pool.decode(features, 1, pool.model.decoding)).resolves.toHaveLength(1);
});

test('the event loop is idle while threads compute', async () => {
  const { seconds } = pool.busy();
  const startedMs = performance.now();
  const before = performance.eventLoopUtilization();
  const features = await pool.encode(pixels, photographs().length);
  await pool.decode(features, photographs().length, pool.model.decoding);
  const { utilization, active, idle } = performance.eventLoopUtilization(before);
  // Computed on the main thread, it would be 1. Independent of how fast or busy the machine is:
  // the event loop counts as idle whenever it has nothing to do.
  expect(active + idle).toBeGreaterThan(100);
  expect(utilization).toBeLessThan(0.3);
  const { seconds: after, threads } = pool.busy();
  const busy = (after - seconds) / threads / ((performance.now() - startedMs) / 1000);
  expect(busy).toBeGreaterThan(0.5);
  expect(busy).toBeLessThanOrEqual(1);
});

test.runIf(process.platform === 'linux')(
  'threads that compute let the main thread go first',
  () => {
    const niceness = (thread: string) => {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    };
    const others = readdirSync('/proc/self/task').filter((thread) => thread !== `${process.pid}`);
    const own = niceness(String(process.pid));
    expect(own).toBe(os.getPriority());
    expect(others.filter((thread) => niceness(thread) === own + 5)).toHaveLength(2);
  },
);

test('is not busy without requests', async () => {
  const before = pool.busy();
  await new Promise((resolve) => setTimeout(resolve, 5)); // so that there is time to count
  expect(pool.busy()).toEqual(before);
});

describe('a pool that is warmed up', () => {
  /** Of a tiny model: what is tested is what is computed, not how fast. */
  let tiny: string;

  beforeAll(async () => {
    tiny = await mkdtemp(join(os.tmpdir(), 'cutline-tiny-'));
    for (const [name, bytes] of tinyBundleFiles('show-attend-tell', ['a', 'dog', 'runs'])) {
      await writeFile(join(tiny, name), bytes);
    }
  });
  afterAll(() => rm(tiny, { recursive: true, force: true }));

  /** What every thread says on the way to a pool, thread by thread. */
  async function repliesOfStart(options: { warmUp?: boolean; deviceBatch?: number | 'auto' }) {
    const replies: string[][] = [];
    const listen = (thread: Worker) => {
      const own: string[] = [];
      replies.push(own);
      thread.on('message', ({ state }: { state: string }) => own.push(state));
    };
    process.on('worker', listen);
    const of = { ...both, bundleFolder: tiny };
    const started = await startInference({ ...of, threads: 2, ...options });
    process.off('worker', listen);
    const said = replies.map((states) => [...states]);
    await started.close();
    return { started, said };
  }

  test('has computed with each of its threads before it is there', async () => {
    const cold = await repliesOfStart({});
    expect(cold.said).toEqual([['ready'], ['ready']]);
    expect(cold.started.deviceBatches).toEqual({ encode: 8, decode: 16 });
    const warm = await repliesOfStart({ warmUp: true, deviceBatch: 2 });
    const rehearsed = ['ready', 'encoded', 'decoded'];
    expect(warm.said).toEqual([rehearsed, rehearsed]);
    expect(warm.started.deviceBatches).toEqual({ encode: 2, decode: 2 });
    expect(warm.started.tunings.size).toBe(0);
  });

  test('that is told to measures how many images to compute at a time', async () => {
    const { started, said } = await repliesOfStart({ deviceBatch: 'auto' });
    for (const stage of ['encode', 'decode'] as const) {
      const tuning = started.tunings.get(stage);
      expect(tuning?.trials.map(({ images }) => images).slice(0, 3)).toEqual([4, 8, 16]);
      expect(tuning?.trials.map(({ images }) => images)).toContain(tuning?.deviceBatch);
      expect(started.deviceBatches[stage]).toBe(tuning?.deviceBatch);
    }
    expect(said[0]?.filter((state) => state === 'encoded').length).toBeGreaterThan(6);
    expect(said[1]).toEqual(['ready']);
  });

  test('and cannot compute is one UserError', async () => {
    process.once('worker', (thread: Worker) => {
      thread.once('message', () => void thread.terminate());
    });
    const started = startInference({ ...both, threads: 1, warmUp: true });
    await expect(started).rejects.toBeInstanceOf(UserError);
    await expect(started).rejects.toThrow(
      'The model was loaded, but the backend "wasm" cannot compute it ' +
        '(An inference thread ended with status 1): choose another (--backend).',
    );
  });
});

describe('a stage that is not loaded', () => {
  test('cannot be asked for', async () => {
    const encoders = await startInference({
      ...both,
      stages: { encode: true, decode: false },
      threads: 1,
    });
    try {
      const features = await encoders.encode(imageAt(0), 1);
      await expect(encoders.decode(features, 1, encoders.model.decoding)).rejects.toThrow(
        'this thread has not loaded the decoder',
      );
      expect(encoders.model).toEqual(pool.model);
    } finally {
      await encoders.close();
    }
  });
});

describe('start', () => {
  test('a bundle that cannot be loaded is one UserError', async () => {
    const started = startInference({ ...both, bundleFolder: '/no/such/bundle' });
    await expect(started).rejects.toBeInstanceOf(UserError);
    await expect(started).rejects.toThrow(/^There is no folder \/no\/such\/bundle: give/);
  });

  const setUp = new URL('../../../.cache/tensorflow/', import.meta.url);
  const hasTensorflow = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'].some((name) => {
    try {
      return createRequire(setUp).resolve(name) !== '';
    } catch {
      return false;
    }
  });

  test.skipIf(hasTensorflow)('a backend that is not installed is one UserError', async () => {
    const started = startInference({ ...both, backend: 'tensorflow' });
    await expect(started).rejects.toBeInstanceOf(UserError);
    await expect(started).rejects.toThrow(/^The backend "tensorflow" cannot be used: .*npm/);
  });
});

describe('end', () => {
  const death = 'An inference thread ended with status 1';
  /** By then, the first request has been sent to the thread. */
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

  /** Starts a pool of one thread and catches hold of the thread, as only the runtime could. */
  async function startOne() {
    const created = new Promise<Worker>((resolve) => process.once('worker', resolve));
    const started = await startInference({
      ...both,
      stages: { encode: true, decode: false },
      threads: 1,
    });
    return { started, thread: await created };
  }

  test('a thread that dies rejects what it had in hand, what waited, and what comes', async () => {
    const { started, thread } = await startOne();
    const requests = Promise.all([
      expect(started.encode(pixels, photographs().length)).rejects.toThrow(death),
      expect(started.encode(pixels, photographs().length)).rejects.toThrow(death),
      expect(started.failed).rejects.toThrow(death),
    ]);
    await nextTurn();
    await thread.terminate();
    await requests;
    await expect(started.encode(imageAt(0), 1)).rejects.toThrow(death);
    await started.close();
  });

  test('close finishes what is in hand and refuses the rest', async () => {
    const { started } = await startOne();
    const closed = 'The inference pool is closed';
    const requests = Promise.all([
      expect(started.encode(imageAt(0), 1)).resolves.toHaveLength(featureBytes),
      expect(started.encode(imageAt(1), 1)).rejects.toThrow(closed),
    ]);
    await nextTurn();
    await started.close();
    await requests;
    await expect(started.encode(imageAt(0), 1)).rejects.toThrow(closed);
  });

  test('after close nothing keeps the process', async () => {
    const program = `
      import { defaultBundleFolder, startInference } from '@cutline/inference';
      const pool = await startInference({ bundleFolder: defaultBundleFolder(),
        stages: { encode: true, decode: true }, backend: 'wasm', threads: 2 });
      await pool.close();
      console.log('closed');`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { cwd: import.meta.dirname, timeout: 90_000 },
    );
    expect(stdout).toBe('closed\n');
  });
});
