// @ts-check

/**
 * A backend of ours, in a process of its own:
 *
 *     node backend.mjs <folder of images> <images to measure one stage with> <backend> [bundle]
 *
 * It computes on all cores: `onnx` and `wasm` with one engine on each, `tensorflow` with threads of
 * its own. What is timed is what workers call, messages to inference threads and float16 included:
 *
 *   encode    `batchSize` images a call; pixels in memory → features
 *   decode    `batchSize` images a call, calls in hand as a decoder-worker has them; features in
 *             memory → captions
 *   caption   all images of a folder, from files to rows, as `cutline caption` does
 */
import { decodeImage, defaultBundleFolder, startInference } from '@cutline/inference';
import { captionLocally, stagesOf } from '@cutline/pipeline';
import { listImages } from '@cutline/shared/listing';
import { Metrics } from '@cutline/shared/process';
import { captionOptions } from '@cutline/shared/run';
import { openStore, parseLocation } from '@cutline/shared/stores';
import { decodeLimits, readImages } from '../read-images.mjs';
import { serveLines } from '../serve-lines.mjs';
import { timePasses, timeStream } from '../time-passes.mjs';

/** @import { InferencePool } from '@cutline/inference' */
/** @import { Said } from './start-contenders.mjs' */

/** @import { ContenderRequest } from './start-contenders.mjs' */
/** @typedef {Required<Omit<ContenderRequest, 'words'>> & { words?: number }} Request */

const [, , folder = '', stageImages = '', backend = '', bundle] = process.argv;
/** The defaults of `cutline caption`. */
const limits = {
  fetchConcurrency: 16,
  fetchAttempts: 4,
  retryBaseMs: 250,
  imageBytesMax: 100 * 1024 * 1024,
  imagePixelsMax: decodeLimits.pixelsMax,
  decodeTimeoutMs: decodeLimits.timeoutMs,
};

try {
  const pool = await startInference({
    bundleFolder: bundle ?? defaultBundleFolder(),
    stages: { encode: true, decode: true },
    backend: /** @type {InferencePool['backend']} */ (backend),
  });
  await serve(pool);
  await pool.close();
} catch (error) {
  const unavailable = error instanceof Error ? error.message : String(error);
  await serveLines({ unavailable }, async () => ({}));
}

/** @param {InferencePool} pool */
async function serve(pool) {
  const { preprocessing, features } = pool.model;
  const imageBytes = preprocessing.width * preprocessing.height * 3;
  const featureBytes = features.locations * features.channels * 2;
  const images = await readImages(folder, Number(stageImages));
  const pixels = await preprocess(images, pool);
  const encoded = await pool.encode(pixels, images.length);

  /** @param {number} batchSize */
  const batchesOf = (batchSize) =>
    Array.from({ length: Math.ceil(images.length / batchSize) }, (_, batch) => {
      const [first, end] = [batch * batchSize, Math.min((batch + 1) * batchSize, images.length)];
      return { first, end, images: end - first };
    });

  /** @type {Record<string, (request: Request) => Promise<object>>} */
  const tasks = {
    encode: ({ batchSize, secondsMin }) =>
      timePasses({ images: images.length, secondsMin }, async () => {
        for (const { first, end, images } of batchesOf(batchSize)) {
          await pool.encode(pixels.subarray(first * imageBytes, end * imageBytes), images);
        }
      }),
    decode({ batchSize, secondsMin, ...search }) {
      const options = optionsOf(search, pool);
      const atOnce = pool.threadCount + 1; // as a decoder-worker
      const stream = { batches: batchesOf(batchSize), atOnce, secondsMin };
      return timeStream(stream, ({ first, end, images }) =>
        pool.decode(encoded.subarray(first * featureBytes, end * featureBytes), images, options),
      );
    },
    caption: (request) => captionFolder(pool, request),
  };
  await serveLines(
    { tasks: Object.keys(tasks), description: pool.backendReason },
    async (request) => {
      const perform = tasks[request.task];
      if (!perform) throw new Error(`there is no task ${request.task}`);
      return perform(request);
    },
  );
}

/** @param {Pick<Request, 'beamSize' | 'words'>} search @param {InferencePool} pool */
function optionsOf({ beamSize, words }, pool) {
  const length = words === undefined ? {} : { lengthMin: words, lengthMax: words };
  return captionOptions({ beamSize, ...length }, pool.model.decoding);
}

/**
 * @param {Awaited<ReturnType<typeof readImages>>} images
 * @param {InferencePool} pool
 */
async function preprocess(images, pool) {
  const decoded = [];
  for (const { bytes } of images) {
    decoded.push((await decodeImage(bytes, pool.model.preprocessing, decodeLimits)).pixels);
  }
  return Buffer.concat(decoded);
}

/** @param {InferencePool} pool @param {Request} request */
async function captionFolder(pool, { folder, ...search }) {
  const { store: url, prefix } = parseLocation(folder);
  const store = await openStore(url);
  const everything = { keysFrom: null, include: [], exclude: [], limit: null, sample: null };
  const options = optionsOf(search, pool);
  const pipeline = { store, options, ...stagesOf(pool, { limits, metrics: new Metrics() }) };
  /** @type {Record<string, Said>} */
  const captions = {};
  const sample = await timePasses({ images: 0, secondsMin: 0 }, async () => {
    const listed = listImages({ store, prefix }, everything);
    for await (const rows of captionLocally(listed, pipeline)) {
      for (const row of rows) {
        if (row.status !== 'captioned') continue;
        captions[row.key] = { caption: row.caption, score: Number(row.score) };
      }
    }
  });
  store.close();
  return { ...sample, images: Object.keys(captions).length, captions };
}
