// @ts-check

import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { architectures } from './architectures.mjs';
import { writeCheckpoint } from './write-checkpoint.mjs';

const run = promisify(execFile);
const cutline = fileURLToPath(new URL('../../apps/cutline/bin/cutline.js', import.meta.url));

/**
 * A checkpoint with random weights and the bundle made of it, from the folder or made there.
 *
 * @param {string} folder
 * @param {string} name of an architecture
 */
export async function bundleOf(folder, name) {
  const architecture = architectures[name];
  if (!architecture) throw new Error(`${name}: expected ${Object.keys(architectures).join(', ')}`);
  const checkpoint = join(folder, name);
  const bundle = `${checkpoint}-bundle`;
  if (!(await exists(join(bundle, 'model.json')))) {
    if (!(await exists(join(checkpoint, 'model.safetensors')))) {
      await writeCheckpoint(architecture, checkpoint);
    }
    await run(process.execPath, [cutline, 'model', 'add', checkpoint, '--into', bundle]);
  }
  return { checkpoint, bundle };
}

/** @param {string} path */
function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}
