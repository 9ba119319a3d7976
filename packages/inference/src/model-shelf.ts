import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '@cutline/shared/errors';
import { cacheFolder } from './cache-folder.ts';

/**
 * Where model bundles are: those that ship with Cutline, and those that the user has added, each in
 * a folder of its name. A name does wherever a folder does.
 */

/** The bundle that ships with Cutline. */
export function defaultBundleFolder(): string {
  const models = new URL('../../../models/', import.meta.url);
  return fileURLToPath(new URL('mobilenet-v2-show-attend-tell-broad', models));
}

/** `~/.cache/cutline/models`, or where `XDG_CACHE_HOME` says. */
export function shelfFolder(): string {
  return join(cacheFolder(), 'models');
}

/** As names are in model.json. */
export const bundleName = /^[a-z0-9]+([.-][a-z0-9]+)*$/;

/**
 * The folder of a bundle that was named by its folder or by its name.
 *
 * @throws UserError where there is neither, which says what there is
 */
export async function findBundle(nameOrFolder: string): Promise<string> {
  const folder = resolve(nameOrFolder);
  if (await isFolder(folder)) return folder;
  if (bundleName.test(nameOrFolder)) {
    if (nameOrFolder === basename(defaultBundleFolder())) return defaultBundleFolder();
    const shelved = join(shelfFolder(), nameOrFolder);
    if (await isFolder(shelved)) return shelved;
    const names = await shelvedModels();
    throw new UserError(
      `There is no model "${nameOrFolder}": neither a folder, nor among those that were added ` +
        `(${names.length > 0 ? names.join(', ') : 'none so far'}). Add it with "cutline model add".`,
    );
  }
  throw new UserError(
    `There is no folder ${folder}: give the folder of a model bundle (with model.json in it).`,
  );
}

/** Names of the bundles that were added, in order. */
export async function shelvedModels(): Promise<string[]> {
  const entries = await readdir(shelfFolder(), { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && bundleName.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

/** @throws UserError where none of that name was added */
export async function removeShelved(name: string): Promise<void> {
  const names = await shelvedModels();
  if (!names.includes(name)) {
    const known = names.length > 0 ? `There are ${names.join(', ')}.` : 'None was added so far.';
    throw new UserError(`No model "${name}" was added. ${known}`);
  }
  await rm(join(shelfFolder(), name), { recursive: true });
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
