/**
 * What engines allocate lies outside JavaScript's heap: whether it is freed shows from outside, in
 * the resident memory of a process that does nothing else.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { backends } from '@cutline/captioner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyBundleFiles } from './support/tiny-model.ts';

/** Of a tiny model, but for the channels of its features: what takes memory and little time. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-memory-'));
  const words = ['a', 'dog', 'runs'];
  const files = tinyBundleFiles('show-attend-tell', words, 1, 'feature-map', channels);
  for (const [name, bytes] of files) {
    await writeFile(join(folder, name), bytes);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/**
 * Images of a batch, and channels: so many that a leak of one tensor of features or of decoder
 * memory a batch ([160,9,64] float32, 369 KB) is 55 MB in the end. Resident memory varies by 10 MB.
 */
const batchImages = 160;
const channels = 64;
const growthMax = 30e6;

/** V8 lets the space of young objects grow when it is busy, to 100 MB in Node 24. Not here. */
const fixedYoungSpace = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

/** Prints by how many bytes 150 batches of each stage let the process grow, or why it cannot. */
const program = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { captionFeatures, createEngine, encodeImages, parseModelBundle }
    from '@cutline/captioner';
  const [backend, folder] = process.argv.slice(1);
  const bundle = parseModelBundle(
    new Map(readdirSync(folder).map((name) => [name, readFileSync(folder + '/' + name)])));
  const { engine } = await createEngine(backend, { threads: 1 }).catch(({ message }) => {
    console.log(JSON.stringify({ missing: message }));
    process.exit();
  });
  const encoder = await engine.loadEncoder(bundle);
  const decoder = await engine.loadDecoder(bundle);
  const imageLength = encoder.imageSize[0] * encoder.imageSize[1] * 3;
  const featuresLength = encoder.featuresShape[0] * encoder.featuresShape[1];
  const B = ${batchImages};
  const pixels = new Uint8Array(B * imageLength).map((_, i) => (i * 7919) % 251);
  const features = new Uint16Array(B * featuresLength).map((_, i) => (i * 7919) % 0x3c00);
  const options = { ...bundle.description.decoding,
    beamSize: 2, candidates: 1, lengthMax: 1, attention: true };
  const stages = {
    encode: (images) =>
      encodeImages(encoder, pixels.subarray(0, images * imageLength), images, B),
    decode: (images) =>
      captionFeatures(decoder, features.subarray(0, images * featuresLength), images, options, B),
  };
  const growth = {};
  for (const [stage, compute] of Object.entries(stages)) {
    const residentAfter = async (batches) => {
      for (let batch = 0; batch < batches; batch++) {
        await compute(B - (batch % 2)); // of two sizes, as batches are
        if (batch % 10 === 9) gc();
      }
      return process.memoryUsage.rss();
    };
    const before = await residentAfter(50);
    growth[stage] = (await residentAfter(150)) - before;
  }
  console.log(JSON.stringify(growth));
`;

describe.each(backends)('on %s', (backend) => {
  it('150 batches of each stage take no more memory than 50', { timeout: 120_000 }, async ({
    skip,
  }) => {
    const flags = ['--expose-gc', ...fixedYoungSpace, '--input-type=module'];
    const args = [...flags, '--eval', program, backend, folder];
    const options = { cwd: import.meta.dirname };
    const { stdout } = await promisify(execFile)(process.execPath, args, options);
    const { missing, ...growth } = JSON.parse(stdout) as Record<string, number>;
    if (missing !== undefined) return skip(`NOT TESTED: ${missing}`);
    expect(Object.keys(growth)).toEqual(['encode', 'decode']);
    for (const [stage, bytes] of Object.entries(growth)) {
      expect(bytes, stage).toBeLessThan(growthMax);
    }
  });
});
