import {
  type ObjectInfo,
  type ObjectStore,
  type StoredObject,
  StoreError,
} from '../stores/object-store.ts';

/**
 * An object, or undefined where there is none. By a HEAD first: with credentials that may not list
 * the bucket, S3 answers 403 to a GET of what does not exist.
 */
export async function readIfThere(
  store: ObjectStore,
  key: string,
): Promise<StoredObject | undefined> {
  const found: ObjectInfo | undefined = await store.head(key);
  return found && getIfThere(store, key);
}

/** What is known to be there, unless it went in this moment. */
export async function getIfThere(
  store: ObjectStore,
  key: string,
): Promise<StoredObject | undefined> {
  try {
    return await store.get(key);
  } catch (error) {
    if (error instanceof StoreError && error.reason === 'not-found') return undefined;
    throw error;
  }
}
