// @ts-check

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeImage, describeBundle } from '@cutline/inference';
import { inParallel } from './in-parallel.mjs';

/** The default limits of `cutline caption`. */
export const decodeLimits = { pixelsMax: 200_000_000, timeoutMs: 30_000 };

/**
 * The first `count` image files of a folder (not of folders in it), in the order of their names.
 *
 * @param {string} folder
 * @param {number} count
 */
export async function listImageFiles(folder, count) {
  const names = (await readdir(folder)).filter((name) => /\.(jpe?g|png)$/i.test(name));
  return names.toSorted().slice(0, count);
}

/** @param {string} folder @param {number} [count] */
export async function readImages(folder, count = Number.POSITIVE_INFINITY) {
  const names = await listImageFiles(folder, count);
  return Promise.all(
    names.map(async (name) => ({ name, bytes: await readFile(join(folder, name)) })),
  );
}

/**
 * What a model sees of each image: [H,W,3] bytes.
 *
 * @param {string} folder
 * @param {string} bundleFolder
 */
export async function readPixels(folder, bundleFolder) {
  const { preprocessing } = await describeBundle(bundleFolder);
  return inParallel(await readImages(folder), async ({ name, bytes }) => {
    const { pixels } = await decodeImage(bytes, preprocessing, decodeLimits);
    return { name, pixels };
  });
}
