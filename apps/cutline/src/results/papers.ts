import { basename, dirname, extname, join } from 'node:path';
import { RunStore, runIdSchema } from '@cutline/shared/run';
import { folderUrl, type StorePool } from '@cutline/shared/stores';

/**
 * Beside a file of rows, in a folder named after it (`captions.jsonl.cutline/`), is what a run has
 * in its own: what was asked for, decisions of people, records of sidecars. They go together: who
 * moves the file moves the folder.
 *
 * @param run its name, where it is known
 */
export async function papersOf(
  file: string,
  stores: StorePool,
  run = nameAfter(file),
): Promise<RunStore> {
  const store = await stores.open(folderUrl(dirname(file)));
  return new RunStore(store, '', run, `${papersFolder(file)}/`);
}

/** Without dots at its beginning, which listings leave out. */
function papersFolder(file: string): string {
  return `${basename(file).replace(/^\.+/, '')}.cutline`;
}

export function papersPath(file: string): string {
  return join(dirname(file), papersFolder(file));
}

function nameAfter(file: string): string {
  const name = basename(file, extname(file)).replaceAll(/[^A-Za-z0-9_-]+/g, '-');
  const known = runIdSchema.safeParse(name.replace(/^[-_]+/, '').slice(0, 64));
  return known.success ? known.data : 'rows';
}
