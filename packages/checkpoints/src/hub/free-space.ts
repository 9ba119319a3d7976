/** Whether a disk has room for what is about to be fetched. */
import { statfs } from 'node:fs/promises';
import { UserError } from '@cutline/shared/errors';

/** @throws UserError that says how many bytes are missing where. */
export async function checkFreeSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (neededBytes <= freeBytes) return;
  throw new UserError(
    `${gigabytes(neededBytes)} are needed in ${folder}, and ${gigabytes(freeBytes)} are free: ` +
      'free some, or set HF_HUB_CACHE to a folder on a larger disk.',
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`;
}
