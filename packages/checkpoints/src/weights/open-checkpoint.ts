/** The weights in a folder, in whichever of the usual files they are. */
import { join } from 'node:path';
import { UserError } from '@cutline/shared/errors';
import { isFile } from '../files/read-json.ts';
import type { Checkpoint, TensorSource } from './checkpoint.ts';
import { openSafetensors } from './safetensors-file.ts';
import { openSharded } from './sharded.ts';
import { openTorchFile } from './torch/torch-file.ts';
import { weightFiles } from './weight-files.ts';

/**
 * Opens the weights of a folder. Reads what the files say of their tensors, and checks it against
 * the files' sizes; numbers are read one tensor at a time. Nothing in them is run.
 *
 * @throws UserError when there are none, or they are damaged or refused: one line, with the path.
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  for (const name of weightFiles) {
    if (!(await isFile(join(folder, name)))) continue;
    const open = name.includes('.safetensors') ? openSafetensors : openTorchFile;
    if (name.endsWith('.index.json')) return openSharded(folder, name, open);
    return asCheckpoint(name, await open(join(folder, name)));
  }
  throw new UserError(`${folder} holds no weights: there is none of ${weightFiles.join(', ')}.`);
}

function asCheckpoint(file: string, source: TensorSource): Checkpoint {
  return {
    files: [file],
    tensors: source.tensors,
    read: (name) => source.read(name),
    close: () => source.close(),
  };
}
