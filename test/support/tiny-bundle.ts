import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tinyBundleFiles } from '../../packages/captioner/test/support/tiny-model.ts';

/**
 * A tiny model in a folder of its own; another family or seed makes it another model.
 *
 * @returns the folder
 */
export async function writeTinyBundle(
  path: string,
  { family = 'show-attend-tell', seed = 1 }: { family?: string; seed?: number } = {},
): Promise<string> {
  await mkdir(path);
  const words = ['a', 'boat', 'dog', 'in', 'on', 'snow', 'the'];
  for (const [file, bytes] of tinyBundleFiles(family, words, seed)) {
    await writeFile(join(path, file), bytes);
  }
  return path;
}
