// @ts-check

/**
 * Preprocessing alone, in a process of its own: JPEG files in memory → pixels, on all cores.
 *
 *     node sharp.mjs <folder of images> <number of images> [bundle]
 */
import { decodeImage, defaultBundleFolder, describeBundle } from '@cutline/inference';
import { inParallel } from '../in-parallel.mjs';
import { decodeLimits, readImages } from '../read-images.mjs';
import { serveLines } from '../serve-lines.mjs';
import { timePasses } from '../time-passes.mjs';

const [, , folder = '', count = '', bundle = defaultBundleFolder()] = process.argv;

const { preprocessing } = await describeBundle(bundle);
const images = await readImages(folder, Number(count));

await serveLines({ tasks: ['preprocess'], description: 'sharp' }, ({ secondsMin }) =>
  timePasses({ images: images.length, secondsMin }, () =>
    inParallel(images, ({ bytes }) => decodeImage(bytes, preprocessing, decodeLimits)),
  ),
);
