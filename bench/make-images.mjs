// @ts-check

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '@cutline/captioner';
import sharp from 'sharp';
import { photographs } from '../scripts/photographs.mjs';
import { inParallel } from './in-parallel.mjs';

const seed = 1;

/**
 * Writes `count` distinct JPEGs, the same on every machine with the same sharp: cuttings of the
 * nine photographs, 480 to 1,024 pixels wide.
 *
 * @param {string} folder is made
 * @param {number} count
 */
export async function makeImages(folder, count) {
  await mkdir(folder, { recursive: true });
  const random = createRandom(seed);
  const photos = photographs();
  const cuttings = Array.from({ length: count }, (_, n) => ({
    file: join(folder, `${String(n).padStart(5, '0')}.jpg`),
    source: photos[n % photos.length]?.path ?? '',
    left: random(),
    top: random(),
    size: 0.7 + 0.3 * random(),
    width: Math.round(480 + 544 * random()),
  }));
  await inParallel(cuttings, async ({ file, source, left, top, size, width }) => {
    const image = sharp(source);
    const full = await image.metadata();
    const [cutWidth, cutHeight] = [Math.round(full.width * size), Math.round(full.height * size)];
    await image
      .extract({
        left: Math.floor((full.width - cutWidth) * left),
        top: Math.floor((full.height - cutHeight) * top),
        width: cutWidth,
        height: cutHeight,
      })
      .resize({ width })
      .jpeg({ quality: 85 })
      .toFile(file);
  });
}

/**
 * Files of 100 bytes: for everything but the maths.
 *
 * @param {string} folder is made
 * @param {number} count
 */
export async function makeNullImages(folder, count) {
  await mkdir(folder, { recursive: true });
  const files = Array.from({ length: count }, (_, n) =>
    join(folder, `${String(n).padStart(6, '0')}.jpg`),
  );
  await inParallel(files, (file) => writeFile(file, Buffer.alloc(100, file)));
}
