/** Under which names weights are published. */

/** In the order in which they are looked for. An index names the files with the tensors. */
export const weightFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const;

/**
 * Whether a file is one of those that `openCheckpoint` would open, where all these are: many
 * repositories have the same weights in several formats, and need be fetched in one only.
 *
 * @param names of all files, without folders.
 */
export function isWeightFile(name: string, names: readonly string[]): boolean {
  const first = weightFiles.find((file) => names.includes(file));
  if (name === first) return true;
  if (!first?.endsWith('.index.json')) return false;
  const [stem = '', extension = ''] = first.replace('.index.json', '').split('.');
  return new RegExp(`^${stem}-\\d+-of-\\d+\\.${extension}$`).test(name);
}
