import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { UserError } from '@cutline/shared/errors';
import {
  type ObjectStore,
  parseLocation,
  parseObjectLocation,
  type StorePool,
} from '@cutline/shared/stores';

/** Where images are: a store, and a prefix of keys in it. */
export interface OpenSource {
  store: ObjectStore;
  prefix: string;
  /** The key, where one file was named. */
  single: string | undefined;
}

/**
 * A folder, a bucket, a prefix, or a single image of either.
 * @throws UserError, StoreError where it cannot be opened
 */
export async function openSource(source: string, stores: StorePool): Promise<OpenSource> {
  const location = parseLocation(source);
  if (location.store.startsWith('file:')) {
    const stats = await stat(new URL(location.store)).catch((error) => {
      if (error.code !== 'ENOENT' || extname(source) === '') return undefined;
      throw new UserError(`There is no file or folder ${source}: correct its name.`);
    });
    if (stats?.isFile()) {
      const { store: url, key } = parseObjectLocation(source);
      return { store: await stores.open(url), prefix: '', single: key };
    }
  }
  const store = await stores.open(location.store);
  await store.check();
  return { store, prefix: location.prefix, single: undefined };
}
