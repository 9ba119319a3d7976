import { fileURLToPath } from 'node:url';
import { UserError } from '../errors.ts';
import { FolderStore } from './folder/folder-store.ts';
import { parseLocation } from './location.ts';
import type { ObjectStore } from './object-store.ts';
import { readS3Config, type StoreConfig } from './s3/s3-config.ts';

/**
 * Opens what `parseLocation(…).store` names: `s3://bucket` or `file:///absolute/folder`. Nothing
 * is sent before the first operation; `check` tells whether the store is there.
 *
 * The AWS SDK is loaded only where it is needed: it takes 0.1 s, which a person who captions a
 * folder need not wait for.
 *
 * @throws UserError where the URL, the configuration or the environment is wrong.
 */
export async function openStore(url: string, config: StoreConfig = {}): Promise<ObjectStore> {
  const { store, prefix } = parseLocation(url);
  if (prefix !== '') {
    throw new UserError(`"${url}" is not a whole store: expected "${store}", without a prefix.`);
  }
  if (store.startsWith('file:')) return new FolderStore(fileURLToPath(store));

  const s3Config = readS3Config(config, process.env);
  const { S3Store } = await import('./s3/s3-store.ts');
  return new S3Store(store.slice('s3://'.length), s3Config);
}
