import { createHash } from 'node:crypto';
import { compareKeys } from './key-order.ts';
import {
  type GetOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
} from './object-store.ts';

/**
 * A store in memory, for tests and for the simulator. It does at once what it is asked; who wants
 * outages and delays puts them around it.
 */
export class MemoryStore implements ObjectStore {
  readonly url: string;
  readonly #objects = new Map<string, StoredObject>();

  /** @param url what it calls itself: `s3://bucket` */
  constructor(url: string) {
    this.url = url;
  }

  async *list(prefix = '', { startAfter = '' }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    const keys = [...this.#objects.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, startAfter) > 0)
      .toSorted(compareKeys);
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object) yield { key, etag: object.etag, bytes: object.bytes.length };
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject> {
    const { bytesMax = Number.POSITIVE_INFINITY, etag, signal } = options;
    signal?.throwIfAborted();
    const object = this.#objects.get(key);
    const name = JSON.stringify(key);
    if (!object) throw new StoreError('not-found', `${name} does not exist.`);
    if (etag !== undefined && etag !== object.etag) {
      throw new StoreError('changed', `${name} was replaced: ${object.etag}, not ${etag}.`);
    }
    if (object.bytes.length > bytesMax) {
      throw new StoreError('too-large', `${name} has ${object.bytes.length} bytes.`);
    }
    return { bytes: Buffer.from(object.bytes), etag: object.etag };
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const object = this.#objects.get(key);
    return object && { key, etag: object.etag, bytes: object.bytes.length };
  }

  async put(
    key: string,
    bytes: Uint8Array,
    { ifAbsent, ifMatch }: PutOptions = {},
  ): Promise<{ etag: string }> {
    if (key === '') throw new StoreError('refused', 'An empty key names no object.');
    const existing = this.#objects.get(key);
    if ((ifAbsent && existing) || (ifMatch !== undefined && existing?.etag !== ifMatch)) {
      throw new StoreError('exists', `${JSON.stringify(key)} is not as it was expected.`);
    }
    const etag = createHash('md5').update(bytes).digest('hex');
    this.#objects.set(key, { bytes: Buffer.from(bytes), etag });
    return { etag };
  }

  async delete(key: string): Promise<void> {
    this.#objects.delete(key);
  }

  async check(): Promise<void> {}

  close(): void {}
}
