import { join, sep } from 'node:path';
import { StoreError } from './object-store.ts';

/**
 * The path of the file that a key names inside `root`.
 *
 * A key is the file's path relative to the folder, `/` between segments, in exactly one spelling,
 * so that two keys never mean one object. Keys come from lists that people wrote and from other
 * stores' listings: one that would leave the folder must not reach the file system.
 *
 * @throws StoreError `access-denied` for every other key.
 */
export function pathOfKey(root: string, key: string): string {
  const segments = key.split('/');
  const refused =
    key.includes('\0') ||
    (sep === '\\' && /[\\:]/.test(key)) || // Windows: another separator, drives and streams
    segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (refused) {
    throw new StoreError(
      'access-denied',
      `${JSON.stringify(key)} is not a key of a folder: expected a relative path such as ` +
        '"2024/cat.jpg", without "..", "//" or a "/" at either end.',
    );
  }
  return join(root, ...segments);
}
