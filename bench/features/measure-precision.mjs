// @ts-check

import {
  createEngine,
  featureBytes,
  featureMapShape,
  fromFloat16,
  fromInt8Features,
  searchCaptions,
  toFloat16,
  toInt8Features,
} from '@cutline/captioner';
import { loadModelBundle } from '@cutline/inference';
import { alignColumns, formatNumber } from '../format-text.mjs';
import { readPixels } from '../read-images.mjs';

/**
 * One way to write features down.
 *
 * @typedef {object} Precision
 * @property {string} name
 * @property {number} imageBytes of an image's features
 * @property {number} share of what the CNN's feature map takes in float32
 * @property {{ beamSize: number, images: number }[]} same images with the caption of float32
 */

/** @typedef {{ shape: readonly [number, number], images: number, precisions: Precision[] }} Precisions */

/** That of the other end-to-end measurements, and that of the model that ships. */
const beamSizes = [3, 5];

const imagesAtATime = 8;

/**
 * What precision does to captions: the same features in float32, in float16 (as they travel) and
 * in 8 bits, decoded by one engine in this process.
 *
 * @param {string} folder of images
 * @param {string} bundleFolder of the model
 * @returns {Promise<Precisions>}
 */
export async function measurePrecision(folder, bundleFolder) {
  const bundle = await loadModelBundle(bundleFolder);
  const { description } = bundle;
  const { shape } = description.features;
  const ways = waysToWrite(shape);
  const same = ways.map(() => beamSizes.map(() => 0));

  const { engine } = await createEngine('auto');
  const encoder = await engine.loadExactEncoder(bundle);
  const decoder = await engine.loadDecoder(bundle);
  const images = await readPixels(folder, bundleFolder);
  for (let first = 0; first < images.length; first += imagesAtATime) {
    const batch = images.slice(first, first + imagesAtATime);
    const pixels = Buffer.concat(batch.map(({ pixels }) => pixels));
    const features = await encoder.encode(new Float32Array(pixels), batch.length);
    for (const [at, beamSize] of beamSizes.entries()) {
      const options = { ...description.decoding, beamSize, candidates: 1 };
      /** @type {string[] | undefined} */
      let expected;
      for (const [way, { read }] of ways.entries()) {
        const found = await searchCaptions(decoder, read(features), batch.length, options);
        const captions = found.map(([best]) => String(best?.tokens));
        expected ??= captions;
        const counts = /** @type {number[]} */ (same[way]);
        counts[at] =
          (counts[at] ?? 0) + captions.filter((said, n) => said === expected?.[n]).length;
      }
    }
  }
  engine.dispose();

  const featureMapBytes = 4 * elementCount(featureMapShape(description));
  const precisions = ways.map(({ name, imageBytes }, way) => ({
    ...{ name, imageBytes, share: imageBytes / featureMapBytes },
    same: beamSizes.map((beamSize, at) => ({ beamSize, images: same[way]?.[at] ?? 0 })),
  }));
  return { shape, images: images.length, precisions };
}

/**
 * Float32 first: the others are compared with it. `read` gives what a decoder would read back.
 *
 * @param {readonly [number, number]} shape [L,D]
 * @returns {{ name: string, imageBytes: number, read: (x: Float32Array) => Float32Array }[]}
 */
function waysToWrite(shape) {
  const values = elementCount(shape);
  return [
    { name: 'float32', imageBytes: 4 * values, read: (x) => x },
    {
      name: 'float16',
      imageBytes: featureBytes('float16', shape),
      read: (x) => fromFloat16(toFloat16(x)),
    },
    {
      name: 'int8',
      imageBytes: featureBytes('int8', shape),
      read: (x) => fromFloat16(fromInt8Features(toInt8Features(toFloat16(x), shape), shape)),
    },
  ];
}

/** @param {readonly [number, number]} shape */
function elementCount([locations, channels]) {
  return locations * channels;
}

/** @param {Precisions} measured */
export function formatPrecisions({ shape, images, precisions }) {
  const rows = precisions.map(({ name, imageBytes, share, same }) => [
    name,
    formatNumber(imageBytes),
    `${(100 * share).toFixed(1)} %`,
    ...same.map((found) => `${found.images}`),
  ]);
  const beams = precisions[0]?.same.map(({ beamSize }) => `same, beam ${beamSize}`) ?? [];
  const head = ['', 'bytes/image', 'of the feature map', ...beams];
  const title = `Features [${shape}] of ${images} images: captions as from float32`;
  return `${title}\n${alignColumns([head, ...rows])}\n`;
}
