/**
 * A checkpoint in several files, with an index that says which tensor lies in which:
 * `{"metadata": …, "weight_map": {"name": "model-00001-of-00002.safetensors", …}}`.
 */
import { join } from 'node:path';
import { UserError } from '@cutline/shared/errors';
import { z } from 'zod';
import { quote } from '../files/quote.ts';
import { readJson } from '../files/read-json.ts';
import type { Checkpoint, TensorInfo, TensorSource } from './checkpoint.ts';

const indexBytesMax = 16 * 1024 * 1024;
/** The largest models that are published have some two hundred. */
const shardsMax = 1000;

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * @param openShard opens one file.
 * @throws UserError when the index is malformed, or does not agree with the files.
 */
export async function openSharded(
  folder: string,
  indexName: string,
  openShard: (path: string) => Promise<TensorSource>,
): Promise<Checkpoint> {
  const indexPath = join(folder, indexName);
  const fileOf = await readIndex(indexPath);
  const files = [...new Set(fileOf.values())].sort();
  const shards = new Map<string, TensorSource>();
  const close = async () => {
    await Promise.all([...shards.values()].map((shard) => shard.close()));
  };
  try {
    for (const file of files) shards.set(file, await openShard(join(folder, file)));
    const tensors = new Map<string, TensorInfo>();
    for (const [name, file] of fileOf) {
      const info = shards.get(file)?.tensors.get(name);
      if (!info) {
        throw new UserError(`${indexPath} says that ${quote(name)} is in ${file}, but it is not.`);
      }
      tensors.set(name, info);
    }
    return {
      files,
      tensors,
      async read(name) {
        const shard = shards.get(fileOf.get(name) ?? '');
        if (!shard) throw new UserError(`${indexPath} has no tensor ${quote(name)}.`);
        return shard.read(name);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readIndex(path: string): Promise<Map<string, string>> {
  const index = indexSchema.safeParse(await readJson(path, { bytesMax: indexBytesMax }));
  if (!index.success) {
    throw new UserError(`${path} is not an index of shards: it should have a "weight_map".`);
  }
  const fileOf = new Map(Object.entries(index.data.weight_map));
  const files = new Set(fileOf.values());
  for (const file of files) {
    // A plain name, of a file beside the index.
    if (!/^[\w-][\w.-]*\.(safetensors|bin)$/.test(file)) {
      throw new UserError(`${path} names the file ${quote(file)}, which is not one beside it.`);
    }
  }
  if (files.size === 0 || files.size > shardsMax) {
    throw new UserError(`${path} names ${files.size} files; it may be 1 to ${shardsMax}.`);
  }
  return fileOf;
}
