// @ts-check

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeImage, defaultBundleFolder, describeBundle } from '@cutline/inference';
import sharp from 'sharp';
import { readImages } from '../read-images.mjs';
import { endToEndBeamSize } from './measure-stages.mjs';

/** @import { Contender } from './start-contenders.mjs' */

/** @typedef {{ name: string, reference: string, of: string, images: number, same: number }} Agreement */

/**
 * How many captions each contender has in common with the first: whether they do the same work.
 * From files, what decodes and resizes them counts, too; from the same pixels, only the model.
 *
 * @param {readonly Contender[]} contenders
 * @param {{ images: string, pixels: string }} folders of images; and for the same as pixels
 * @returns {Promise<Agreement[]>}
 */
export async function compareCaptions(contenders, folders) {
  await writePixels(folders.images, folders.pixels);
  const agreements = [];
  for (const { of, folder } of [
    { of: 'the same pixels', folder: folders.pixels },
    { of: 'the same files', folder: folders.images },
  ]) {
    const captioning = contenders.filter(({ tasks }) => tasks.includes('caption'));
    const [first, ...others] = await Promise.all(
      captioning.map(async ({ name, run }) => {
        const request = { task: 'caption', secondsMin: 0, beamSize: endToEndBeamSize, folder };
        return { name, captions: (await run(request)).captions ?? {} };
      }),
    );
    for (const { name, captions } of others) {
      const said = Object.entries(first?.captions ?? {});
      const same = said.filter(([file, caption]) => captions[file] === caption).length;
      agreements.push({ name, reference: first?.name ?? '', of, images: said.length, same });
    }
  }
  return agreements;
}

/**
 * What the model sees of each image, as a PNG of just that size: nothing is left to resize.
 *
 * @param {string} from
 * @param {string} to is made
 */
async function writePixels(from, to) {
  await mkdir(to, { recursive: true });
  const { preprocessing } = await describeBundle(defaultBundleFolder());
  const { width, height } = preprocessing;
  const limits = { pixelsMax: 200_000_000, timeoutMs: 30_000 };
  for (const { name, bytes } of await readImages(from, Number.POSITIVE_INFINITY)) {
    const { pixels } = await decodeImage(bytes, preprocessing, limits);
    const image = sharp(pixels, { raw: { width, height, channels: 3 } });
    await image.png().toFile(join(to, `${name}.png`));
  }
}
