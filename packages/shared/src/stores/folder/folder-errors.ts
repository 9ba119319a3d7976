import { stat } from 'node:fs/promises';
import { StoreError } from '../object-store.ts';

/** The `code` of a system error ('ENOENT'), or undefined of anything else. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** What a missing file looks like: also where one of its folders is a file, or it is a folder. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP'].includes(codeOf(error) ?? '');
}

/**
 * Tells that the folder is there. A missing object says nothing of itself while the whole folder
 * is missing, as when a disk is not mounted: without this, every image of a run would become a
 * failure row.
 *
 * @throws StoreError `misconfigured`
 */
export async function requireFolder(root: string): Promise<void> {
  const stats = await stat(root).catch((cause: unknown) => {
    throw new StoreError(
      'misconfigured',
      `There is no folder ${root} (${codeOf(cause)}): create it, mount its disk, or correct the ` +
        'location.',
      { cause, isMissingStore: true },
    );
  });
  if (!stats.isDirectory()) {
    throw new StoreError('misconfigured', `${root} is not a folder: give the folder it is in.`, {
      isMissingStore: true,
    });
  }
}

/** A StoreError for what a read of one file met; anything that is no system error stays as it is. */
export function readError(error: unknown, key: string): unknown {
  if (error instanceof StoreError || codeOf(error) === undefined) return error;
  const name = JSON.stringify(key);
  const code = codeOf(error);
  if (isMissing(error)) {
    const advice = key.includes('\ufffd') ? ': its name is not UTF-8, rename it' : '';
    return new StoreError('not-found', `There is no file ${name}${advice}.`, { cause: error });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new StoreError('access-denied', `The file ${name} may not be read (${code}).`, {
      cause: error,
    });
  }
  return new StoreError('unavailable', `The file ${name} could not be read (${code}).`, {
    cause: error,
  });
}

/**
 * The same for a write. A full disk or a folder that may not be written to stands in the way of all
 * of them; a name that does not fit is about one key.
 */
export function writeError(error: unknown, path: string): unknown {
  const code = codeOf(error);
  if (error instanceof StoreError || code === undefined) return error;
  const name = JSON.stringify(path);
  const refusal = refusals.get(code);
  if (refusal !== undefined) {
    return new StoreError('refused', `${name} cannot be written (${code}): ${refusal}.`, {
      cause: error,
    });
  }
  if (passing.has(code)) {
    return new StoreError('unavailable', `${name} could not be written (${code}).`, {
      cause: error,
    });
  }
  const advice =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'the disk is full: make room'
      : 'make its folder writable';
  return new StoreError('misconfigured', `${name} could not be written (${code}): ${advice}.`, {
    cause: error,
  });
}

const clash = 'a file stands where a folder is needed, or the reverse';

/** What is wrong with a key that the file system cannot hold. */
const refusals = new Map([
  ['ENAMETOOLONG', 'its name is too long for this file system'],
  ['EINVAL', 'this file system does not take such a name'],
  ['EILSEQ', 'this file system does not take such a name'],
  ['EFBIG', 'it is too large for this file system'],
  ['ELOOP', 'symbolic links lead round in a circle'],
  ['ENOTDIR', clash],
  ['EISDIR', clash],
  ['EEXIST', clash],
  ['ENOTEMPTY', clash],
]);

/** What may heal by itself: too many open files, a folder that was just deleted, a drive that stalls. */
const passing = new Set([
  ...['EIO', 'EMFILE', 'ENFILE', 'EBUSY', 'EAGAIN', 'EINTR', 'ESTALE', 'ETIMEDOUT'],
  ...['ENOENT', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'ECONNRESET'],
]);
