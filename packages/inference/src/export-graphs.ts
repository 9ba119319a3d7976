import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportOnnx, type WeightType } from '@cutline/captioner';
import { describeError, UserError } from '@cutline/shared/errors';
import { loadModelBundle } from './load-bundle.ts';

/**
 * Writes a bundle's ONNX graphs into a folder, which is made, for other programs: the encoder, and
 * a decoder's start and step.
 *
 * @returns the names of the files.
 * @throws UserError where the bundle cannot be used, or the folder cannot be written to.
 */
export async function exportGraphs(
  bundleFolder: string,
  folder: string,
  weightType?: WeightType,
): Promise<string[]> {
  const graphs = exportOnnx(await loadModelBundle(bundleFolder), weightType);
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, bytes] of graphs) await writeFile(join(folder, name), bytes);
  } catch (cause) {
    throw new UserError(`Cannot write to ${folder}: ${describeError(cause)}.`, { cause });
  }
  return [...graphs.keys()];
}
