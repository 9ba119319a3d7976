import type { ObjectStore } from '@cutline/shared/stores';

/** The keys of a store that begin so, in the store's order. */
export async function listKeys(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}
