/** The pool on ONNX Runtime: the same rows as on WebAssembly, and an end that is no crash. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import {
  decodeImage,
  defaultBundleFolder,
  type InferencePool,
  startInference,
} from '@cutline/inference';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { photographs } from '../../../scripts/photographs.mjs';

const both = { bundleFolder: defaultBundleFolder(), stages: { encode: true, decode: true } };

describe('the onnx backend', () => {
  let pool: InferencePool;
  /** [count, 224, 224, 3] */
  let pixels: Buffer;
  const count = photographs().length;

  beforeAll(async () => {
    pool = await startInference({ ...both, backend: 'onnx', threads: 2 });
    const limits = { pixelsMax: 1e8, timeoutMs: 20_000 };
    const decoded = await Promise.all(
      photographs().map(async ({ path }) =>
        decodeImage(await readFile(path), pool.model.preprocessing, limits),
      ),
    );
    pixels = Buffer.concat(decoded.map((image) => image.pixels));
  });
  afterAll(() => pool.close());

  test('computes on as many cores as it is told to', () => {
    expect(pool.backend).toBe('onnx');
    expect(pool.backendReason).toMatch(
      /^2 × ONNX Runtime 1\.\d+\.\d+, CPU, 1 thread \(it was asked/,
    );
  });

  test('captions as wasm does', async () => {
    const wasm = await startInference({ ...both, backend: 'wasm', threads: 1 });
    const options = { ...pool.model.decoding, candidates: 2 };
    const [ours, theirs] = await Promise.all(
      [pool, wasm].map(async (one) => one.decode(await one.encode(pixels, count), count, options)),
    );
    await wasm.close();
    expect(ours?.map(({ caption }) => caption)).toEqual(theirs?.map(({ caption }) => caption));
    for (const [image, { candidates }] of (ours ?? []).entries()) {
      for (const [rank, { logProb }] of candidates.entries()) {
        const expected = theirs?.[image]?.candidates[rank]?.logProb;
        expect(Math.abs(logProb - Number(expected))).toBeLessThan(1e-2);
      }
    }
  });

  test('an image’s row does not depend on the images it came with', async () => {
    const options = pool.model.decoding;
    const imageBytes = pixels.length / count;
    const together = await pool.decode(await pool.encode(pixels, count), count, options);
    for (const [image, row] of together.entries()) {
      const own = pixels.subarray(image * imageBytes, (image + 1) * imageBytes);
      const [alone] = await pool.decode(await pool.encode(own, 1), 1, options);
      expect(alone?.caption).toBe(row.caption);
      expect(Math.abs(Number(alone?.logProb) - row.logProb)).toBeLessThan(2e-4);
    }
  });
});

/** What a program that imports the package ends with. */
async function statusOf(program: string): Promise<{ code: number; stderr: string }> {
  const args = ['--input-type=module', '--eval', program];
  try {
    const options = { cwd: import.meta.dirname, timeout: 20_000 };
    const { stderr } = await promisify(execFile)(process.execPath, args, options);
    return { code: 0, stderr };
  } catch (error) {
    return error as { code: number; stderr: string };
  }
}

const start = `
  import { defaultBundleFolder, startInference } from '@cutline/inference';
  const started = startInference({ bundleFolder: defaultBundleFolder(), backend: 'onnx',
    stages: { encode: true, decode: true } });`;

describe('a process that exits', () => {
  test('while a thread computes, ends with its own status', async () => {
    const ended = await statusOf(`${start}
      const pool = await started;
      const { width, height } = pool.model.preprocessing;
      // Started, but not to be finished; the thread is in the middle of it when the loop turns.
      pool.encode(new Uint8Array(64 * height * width * 3), 64);
      setTimeout(() => process.exit(3), 50);`);
    expect(ended).toMatchObject({ code: 3, stderr: '' });
  });

  test('while a thread loads the model, too', async () => {
    const ended = await statusOf(`${start}
      started.catch(() => {});
      setTimeout(() => process.exit(3), 200);`);
    expect(ended).toMatchObject({ code: 3, stderr: '' });
  });
});
