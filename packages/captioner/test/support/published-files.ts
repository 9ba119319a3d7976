/** Published captioners as they lie beside the repository: files, and the checkpoint that they are. */
import { readdirSync, readFileSync } from 'node:fs';
import { type PublishedCheckpoint, parseSafetensors } from '@cutline/captioner';

export const publishedFolder = new URL('../../../../../shared/golden/captioners/', import.meta.url);

export type Files = ReadonlyMap<string, Uint8Array>;

export function readFolder(url: URL): Files {
  return new Map(readdirSync(url).map((name) => [name, readFileSync(new URL(name, url))]));
}

export function fileOf(files: Files, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes) throw new Error(`${name} is missing`);
  return bytes;
}

export function json(files: Files, name: string): unknown {
  return JSON.parse(Buffer.from(fileOf(files, name)).toString());
}

export function checkpointOf(files: Files): PublishedCheckpoint {
  const tensors = parseSafetensors(fileOf(files, 'model.safetensors'), 'model.safetensors');
  return {
    config: json(files, 'config.json'),
    generation: json(files, 'generation_config.json'),
    preprocessor: json(files, 'preprocessor_config.json'),
    tokenizer: fileOf(files, 'tokenizer.json'),
    tokenizerConfig: json(files, 'tokenizer_config.json'),
    has: (tensor) => tensors.has(tensor),
    async read(tensor) {
      const found = tensors.get(tensor);
      if (!found) throw new Error(`there is no tensor '${tensor}'`);
      return found;
    },
  };
}
