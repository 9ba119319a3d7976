import { type ObjectStore, StoreError } from './object-store.ts';

/**
 * The object's ETag where it has exactly these bytes, else undefined. For a put with a condition
 * whose reply was lost: what then stands in its way may be what it wrote itself.
 */
export async function etagIfSame(
  store: Pick<ObjectStore, 'get'>,
  key: string,
  bytes: Uint8Array,
): Promise<string | undefined> {
  try {
    const found = await store.get(key, { bytesMax: bytes.length });
    return found.bytes.equals(bytes) ? found.etag : undefined;
  } catch (error) {
    const isOther =
      error instanceof StoreError && ['not-found', 'too-large', 'changed'].includes(error.reason);
    if (isOther) return undefined;
    throw error;
  }
}
