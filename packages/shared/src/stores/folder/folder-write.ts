import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { link, mkdir, open, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PutCondition } from '../object-store.ts';
import { preconditionFailed, requireCondition } from '../put-condition.ts';
import { Turns } from '../turns.ts';
import { codeOf } from './folder-errors.ts';
import { etagOf } from './folder-listing.ts';

/**
 * Writes a file through a hidden one in the same folder, which is then renamed: a rename within a
 * folder is atomic. The bytes are flushed to the disk before it, because after a power failure a
 * part that exists but is empty would count as done.
 *
 * With `ifAbsent`, a second name is made for the hidden file instead, which the file system
 * refuses where there is one already. File systems without hard links get an empty file first,
 * made exclusively, and then the rename: readers may see it empty for that moment, and for good
 * if the process dies in it. `ifMatch` is looked at right before the rename: within this process
 * nothing comes between the two, but another process may.
 *
 * @param linkFile is for tests: what makes the second name.
 * @returns the ETag of the new file
 * @throws StoreError `exists`, and whatever the file system throws
 */
export function writeFileWhole(
  path: string,
  bytes: Uint8Array,
  condition: PutCondition,
  linkFile: typeof link = link,
): Promise<string> {
  // One after another: otherwise, two would look at the same ETag and both think it theirs.
  return turns.take(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    const temporary = await writeTemporary(path, bytes);
    try {
      const before = await statIfThere(path);
      requireCondition(condition, before && { etag: etagOf(before) }, JSON.stringify(path));
      const etag = await makeLike(temporary, before);
      await (condition.ifAbsent
        ? moveIfAbsent(temporary, path, linkFile)
        : rename(temporary, path));
      return etag;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined); // `error` is what matters
      throw error;
    }
  });
}

/**
 * Removes a file; a folder is no object. `ifMatch` as above: looked at right before.
 * @throws StoreError `exists`, and whatever the file system throws
 */
export function removeFile(path: string, { ifMatch }: PutCondition): Promise<void> {
  return turns.take(path, async () => {
    const stats = await stat(path);
    if (stats.isDirectory()) return;
    requireCondition({ ifMatch }, { etag: etagOf(stats) }, JSON.stringify(path));
    await unlink(path);
  });
}

/** By path: several stores in a process may have the same folder. */
const turns = new Turns();

/** Its name is short, so that it fits wherever the file's own does. */
async function writeTemporary(path: string, bytes: Uint8Array): Promise<string> {
  const temporary = join(dirname(path), `.cutline-${randomBytes(6).toString('hex')}.tmp`);
  const file = await open(temporary, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  return temporary;
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? stats : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Leaves the file to whom the one that it replaces belonged, with the same permissions, and makes
 * its time later than that one's. File systems take the time from a clock that ticks every few
 * milliseconds: two quick writes of the same size would have the same ETag, and so would the first
 * and the third.
 *
 * @returns the file's ETag
 */
async function makeLike(temporary: string, before: Stats | undefined): Promise<string> {
  const file = await open(temporary, 'r+');
  try {
    const stats = await file.stat();
    if (before === undefined) return etagOf(stats);
    if (stats.uid !== before.uid || stats.gid !== before.gid) {
      await file.chown(before.uid, before.gid).catch(unlessUnable);
    }
    if (stats.mode !== before.mode) await file.chmod(before.mode & 0o777).catch(unlessUnable);
    if (stats.mtimeMs > before.mtimeMs) return etagOf(stats);
    // By 2 ms: it is handed over in seconds, and may come out a little less than it was.
    const later = new Date(Math.floor(before.mtimeMs) + 2);
    await file.utimes(later, later);
    return etagOf(await file.stat());
  } finally {
    await file.close();
  }
}

/** Only root gives files away, and not every file system has owners or permissions. */
function unlessUnable(error: unknown): void {
  if (
    !['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(codeOf(error) ?? '')
  ) {
    throw error;
  }
}

async function moveIfAbsent(temporary: string, path: string, linkFile: typeof link): Promise<void> {
  try {
    await linkFile(temporary, path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw await taken(path, error);
    if (!noHardLinks.has(codeOf(error) ?? '')) throw error;
    return await claimAndRename(temporary, path);
  }
  await unlink(temporary);
}

/** What file systems without hard links (FAT, some network drives) answer to link(2). */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

async function claimAndRename(temporary: string, path: string): Promise<void> {
  try {
    await (await open(path, 'wx')).close();
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? await taken(path, error) : error;
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A folder in the way is no object that exists: no object can ever have this name. */
async function taken(path: string, cause: unknown): Promise<unknown> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isDirectory() ? cause : preconditionFailed(JSON.stringify(path), { cause });
}
