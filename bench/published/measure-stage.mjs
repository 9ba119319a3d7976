// @ts-check

/**
 * One stage of one bundle on one thread, in a process of its own:
 *
 *     node measure-stage.mjs <bundle> encode|decode <images at a time> <seconds at least>
 *
 * Prints one line of JSON. What is counted is CPU time, which neighbours hardly change; loading and
 * a first computation, in which kernels are chosen and memory is allocated, are not.
 */
import {
  captionFeatures,
  createEngine,
  createRandom,
  encodeImages,
  toFloat16,
} from '@cutline/captioner';
import { loadDecoderBundle, loadEncoderBundle } from '@cutline/inference';

/** As in the project's other measurements of decoding. */
const search = { beamSize: 3, lengthMin: 12, lengthMax: 12, noRepeatNgram: 0, attention: false };

const [folder = '', stage, images = '1', seconds = '5'] = process.argv.slice(2);
const count = Number(images);
const { engine } = await createEngine('onnx', { device: 'cpu' });
const compute = stage === 'encode' ? await encoding() : await decoding();
await compute();

const before = process.cpuUsage();
let computed = 0;
let cpuSeconds = 0;
while (cpuSeconds < Number(seconds)) {
  await compute();
  computed += count;
  const { user, system } = process.cpuUsage(before);
  cpuSeconds = (user + system) / 1e6;
}
const { maxRSS } = process.resourceUsage(); // in KiB
process.stdout.write(
  `${JSON.stringify({ stage, count, images: computed, cpuSeconds, rssBytesMax: 1024 * maxRSS })}\n`,
);
engine.dispose();

async function encoding() {
  const encoder = await engine.loadEncoder(await loadEncoderBundle(folder));
  const random = createRandom(1);
  const [height, width] = encoder.imageSize;
  const pixels = Uint8Array.from({ length: count * height * width * 3 }, () => 256 * random());
  return () => encodeImages(encoder, pixels, count, count);
}

async function decoding() {
  const bundle = await loadDecoderBundle(folder);
  const decoder = await engine.loadDecoder(bundle);
  const random = createRandom(2);
  const [locations, channels] = bundle.description.features.shape;
  const values = Float32Array.from({ length: count * locations * channels }, random);
  const options = { ...bundle.description.decoding, ...search };
  return () => captionFeatures(decoder, toFloat16(values), count, options, count);
}
