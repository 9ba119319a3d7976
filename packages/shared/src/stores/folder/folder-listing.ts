import type { Stats } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareKeys } from '../key-order.ts';
import { type ListOptions, type ObjectInfo, StoreError } from '../object-store.ts';
import { codeOf } from './folder-errors.ts';

/**
 * Lists a folder's files in the UTF-8 byte order of their keys, one directory at a time: what is
 * held in memory is the names of the directories on the way down, never the whole tree.
 *
 * Left out: names that begin with a dot (a store's own temporary files among them), symbolic
 * links to folders (they can form cycles), and what is neither file nor folder.
 *
 * A directory that may not be read is an entry of its own where `unreadable` asks for it, below the
 * prefix.
 *
 * @throws StoreError `misconfigured` where a directory may not be read otherwise: leaving it out would
 *   leave out images without a word.
 */
export async function* listFolder(
  root: string,
  prefix: string,
  { startAfter = '', unreadable = false }: ListOptions = {},
): AsyncGenerator<ObjectInfo> {
  yield* listDirectory(root, '', { prefix, startAfter, unreadable });
}

/** `<size>-<mtime in ms>`. The fraction of a millisecond is kept: it tells quick rewrites apart. */
export function etagOf(stats: Stats): string {
  return `${stats.size}-${stats.mtimeMs}`;
}

/** Enough to keep the file system's four threads busy; the order of the results is kept. */
const statsAtOnce = 64;

/** Which keys are wanted: every key is longer than '', and so comes after it. */
interface Span {
  prefix: string;
  startAfter: string;
  unreadable: boolean;
}

/** `parent` is '' or ends with a slash. */
async function* listDirectory(
  root: string,
  parent: string,
  span: Span,
): AsyncGenerator<ObjectInfo> {
  const keys = await readKeys(root, parent, span);
  if (keys === 'unreadable') {
    yield { key: parent, etag: '0-0', bytes: 0, unreadable: true };
    return;
  }
  let files: string[] = [];
  for (const key of keys) {
    if (!key.endsWith('/')) {
      files.push(key);
      if (files.length < statsAtOnce) continue;
    }
    yield* statFiles(root, files);
    files = [];
    if (key.endsWith('/')) yield* listDirectory(root, key, span);
  }
  yield* statFiles(root, files);
}

/**
 * The directory's keys, sorted. Those of its folders end with a slash, which is also what sorts
 * them right: all keys below `a/` come after `a.jpg` and before `a0.jpg`.
 */
async function readKeys(
  root: string,
  parent: string,
  { prefix, startAfter, unreadable }: Span,
): Promise<string[] | 'unreadable'> {
  const keys: string[] = [];
  try {
    for await (const entry of await opendir(join(root, parent))) {
      if (entry.name.startsWith('.')) continue;
      const key = parent + entry.name;
      if (entry.isDirectory()) {
        const folder = `${key}/`;
        // A folder that comes before `startAfter` may still be the one that it is in.
        const isLater = compareKeys(folder, startAfter) > 0 || startAfter.startsWith(folder);
        const isWanted = folder.startsWith(prefix) || prefix.startsWith(folder);
        if (isLater && isWanted) keys.push(folder);
      } else if ((entry.isFile() || entry.isSymbolicLink()) && key.startsWith(prefix)) {
        if (compareKeys(key, startAfter) > 0) keys.push(key);
      }
    }
  } catch (cause) {
    // A folder inside the root that was deleted while the listing went on.
    if (codeOf(cause) === 'ENOENT' && parent !== '') return [];
    const isDenied = codeOf(cause) === 'EACCES' || codeOf(cause) === 'EPERM';
    if (isDenied && unreadable && parent !== prefix && parent.startsWith(prefix)) {
      return compareKeys(parent, startAfter) > 0 ? 'unreadable' : [];
    }
    throw new StoreError(
      codeOf(cause) === 'EMFILE' || codeOf(cause) === 'EIO' ? 'unavailable' : 'misconfigured',
      `Cannot list the folder ${join(root, parent)} (${codeOf(cause)}): make it readable, or ` +
        'choose another.',
      { cause },
    );
  }
  return keys.sort(compareKeys);
}

async function* statFiles(root: string, keys: readonly string[]): AsyncGenerator<ObjectInfo> {
  yield* (await Promise.all(keys.map((key) => statFile(root, key)))).filter(
    (info) => info !== undefined,
  );
}

async function statFile(root: string, key: string): Promise<ObjectInfo | undefined> {
  try {
    const stats = await stat(join(root, key));
    return stats.isFile() ? { key, etag: etagOf(stats), bytes: stats.size } : undefined;
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT' && codeOf(cause) !== 'ELOOP') throw cause;
    // A name that is not UTF-8 cannot be opened by its text. It is listed all the same, so that
    // the file ends as a failure that somebody sees. Anything else is a broken link, or was
    // deleted since its name was read.
    return key.includes('\ufffd') ? { key, etag: '0-0', bytes: 0 } : undefined;
  }
}
