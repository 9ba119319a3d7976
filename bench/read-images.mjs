// @ts-check

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

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

/** @param {string} folder @param {number} count */
export async function readImages(folder, count) {
  const names = await listImageFiles(folder, count);
  return Promise.all(
    names.map(async (name) => ({ name, bytes: await readFile(join(folder, name)) })),
  );
}
