import { join, sep } from 'node:path';
import { StoreError, type StoreErrorReason } from '../object-store.ts';

/**
 * The path of the file that a key names inside `root`.
 *
 * A key is the file's path relative to the folder, `/` between segments, in exactly one spelling,
 * so that two keys never mean one object. Keys come from lists that people wrote and from other
 * stores' listings: one that would leave the folder must not reach the file system.
 *
 * @throws StoreError for every other key: `access-denied` for what would be read, `refused` for
 *   what would be written, `not-found` for what is looked for.
 */
export function pathOfKey(
  root: string,
  key: string,
  reason: StoreErrorReason = 'access-denied',
): string {
  const segments = key.split('/');
  const refused =
    key.includes('\0') ||
    /\p{Surrogate}/u.test(key) || // half a character, which no file name can hold
    (sep === '\\' && /[\\:]/.test(key)) || // Windows: another separator, drives and streams
    segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (refused) {
    throw new StoreError(
      reason,
      `${JSON.stringify(key)} is not a key of a folder: expected a relative path such as ` +
        '"2024/cat.jpg", without "..", "//" or a "/" at either end.',
    );
  }
  return join(root, ...segments);
}
