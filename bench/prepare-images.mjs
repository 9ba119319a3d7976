// @ts-check

import { copyFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeImages } from './make-images.mjs';
import { listImageFiles } from './read-images.mjs';

/** @import { BenchOptions } from './options.mjs' */

/**
 * A folder with exactly the images that are measured.
 *
 * @param {BenchOptions} options
 * @param {string} folder is made
 */
export async function prepareImages({ imagesFolder, imageCount }, folder) {
  if (imagesFolder === undefined) return makeImages(folder, imageCount);
  // npm runs scripts in the project's folder; the path is relative to where the user stands.
  const path = resolve(process.env.INIT_CWD ?? '.', imagesFolder);
  const names = await listImageFiles(path, imageCount);
  if (names.length === 0) throw new Error(`There are no JPEG or PNG files in ${path}.`);
  await mkdir(folder);
  for (const name of names) await copyFile(join(path, name), join(folder, name));
}
