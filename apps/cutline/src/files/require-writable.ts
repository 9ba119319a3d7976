import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UserError } from '@cutline/shared/errors';

/** How much of either end of a file says whether Cutline made it. */
const endBytesMax = 4096;

/**
 * Makes sure that a file can be written, before the work whose results it is to hold, and that it
 * is nothing of somebody else's: what is there already is replaced only if Cutline made it.
 *
 * @param isOurs by how a file begins, and how it ends
 * @throws UserError
 */
export async function requireWritable(
  file: string,
  isOurs: (head: string, tail: string) => boolean,
): Promise<void> {
  const path = resolve(file);
  const folder = dirname(path);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new UserError(`${path} is a folder: name a file in it.`);
  const parent = await stat(folder).catch(() => undefined);
  if (!parent?.isDirectory()) {
    throw new UserError(
      `There is no folder ${folder} to write into: create it, or choose another.`,
    );
  }
  await access(found ? path : folder, constants.W_OK).catch((cause) => {
    throw new UserError(`${path} may not be written (${cause.code}): choose another place.`);
  });
  if (found?.isFile() && found.size > 0 && !isOurs(...(await readEnds(path, found.size)))) {
    throw new UserError(
      `${path} is there already, and was not made by Cutline: choose another name, or move it away.`,
    );
  }
}

/** The same, as a question. */
export async function isWritable(
  file: string,
  isOurs: Parameters<typeof requireWritable>[1],
): Promise<boolean> {
  return requireWritable(file, isOurs).then(
    () => true,
    () => false,
  );
}

async function readEnds(path: string, bytes: number): Promise<[head: string, tail: string]> {
  const file = await open(path).catch((cause) => {
    throw new UserError(
      `${path} is there, and cannot be read (${cause.code}): choose another place.`,
    );
  });
  const readAt = async (position: number) => {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(endBytesMax),
      0,
      endBytesMax,
      position,
    );
    return buffer.toString('utf8', 0, bytesRead);
  };
  try {
    return [await readAt(0), await readAt(Math.max(0, bytes - endBytesMax))];
  } finally {
    await file.close();
  }
}
