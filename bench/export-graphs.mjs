// @ts-check

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportOnnx, modelBundleFiles, parseModelBundle } from '@cutline/captioner';
import { defaultBundleFolder } from '@cutline/inference';

/** Writes the model's ONNX graphs, for other programs. @param {string} folder is made */
export async function exportGraphs(folder) {
  const files = await Promise.all(
    modelBundleFiles.map(async (name) => {
      const bytes = await readFile(join(defaultBundleFolder(), name));
      return /** @type {[string, Uint8Array]} */ ([name, bytes]);
    }),
  );
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of exportOnnx(parseModelBundle(new Map(files)))) {
    await writeFile(join(folder, name), bytes);
  }
}
