// @ts-check

/**
 * One stage of one bundle on one thread, in a process of its own:
 *
 *     node measure-stage.mjs <bundle> encode|decode <images at a time> <seconds at least>
 *
 * Prints one line of JSON. What is counted is CPU time, which neighbours hardly change; loading and
 * a first computation, in which kernels are chosen and memory is allocated, are not. Memory is
 * the whole process's at its peak, loading included.
 */
import { createRandom, toFloat16 } from '@cutline/captioner';
import { startInference } from '@cutline/inference';

/** As in the project's other measurements of decoding. */
const search = { beamSize: 3, candidates: 1, lengthMin: 12, lengthMax: 12, noRepeatNgram: 0 };

const [bundleFolder = '', stage, images = '1', seconds = '5'] = process.argv.slice(2);
const count = Number(images);
const stages = { encode: stage === 'encode', decode: stage === 'decode' };
const pool = await startInference({
  ...{ bundleFolder, stages, backend: 'onnx', device: 'cpu', threads: 1, deviceBatch: count },
});
const compute = stages.encode ? encoding() : decoding();
await compute();

const before = process.cpuUsage();
let computed = 0;
let cpuSeconds = 0;
do {
  await compute();
  computed += count;
  const { user, system } = process.cpuUsage(before);
  cpuSeconds = (user + system) / 1e6;
} while (cpuSeconds < Number(seconds));
const { maxRSS } = process.resourceUsage(); // in KiB
process.stdout.write(
  `${JSON.stringify({ stage, count, images: computed, cpuSeconds, rssBytesMax: 1024 * maxRSS })}\n`,
);
await pool.close();

function encoding() {
  const random = createRandom(1);
  const { width, height } = pool.model.preprocessing;
  const pixels = Uint8Array.from({ length: count * height * width * 3 }, () => 256 * random());
  return () => pool.encode(pixels, count);
}

function decoding() {
  const random = createRandom(2);
  const { features, decoding: own } = pool.model;
  const length = count * features.locations * features.channels;
  const values = new Uint8Array(toFloat16(Float32Array.from({ length }, random)).buffer);
  return () => pool.decode(values, count, { ...own, ...search, attention: false });
}
