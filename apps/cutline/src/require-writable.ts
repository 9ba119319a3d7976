import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UserError } from '@cutline/shared/errors';

/**
 * Makes sure that a file can be written, before the work whose results it is to hold.
 * @throws UserError
 */
export async function requireWritable(file: string): Promise<void> {
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
}
