import { createHash } from 'node:crypto';
import { compareKeys } from './key-order.ts';
import {
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
} from './object-store.ts';
import { requireCondition } from './put-condition.ts';

/**
 * An object store in memory, for tests and simulations: no timers, no chance, and every operation
 * takes place at once, when it is called. ETags depend on nothing but what was put, and in which
 * order.
 *
 * It keeps every key that S3 keeps, and is never unavailable: faults are for whoever wraps it.
 */
export class MemoryStore implements ObjectStore {
  readonly url: string;
  readonly #objects = new Map<string, StoredObject>();
  #puts = 0;

  constructor(url = 's3://memory') {
    this.url = url;
  }

  /** A snapshot of the keys, taken at the first step; what is deleted meanwhile is left out. */
  async *list(prefix = '', { startAfter }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    const keys = [...this.#objects.keys()].filter(
      (key) =>
        key.startsWith(prefix) && (startAfter === undefined || compareKeys(key, startAfter) > 0),
    );
    for (const key of keys.sort(compareKeys)) {
      const info = this.#infoOf(key);
      if (info) yield info;
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject> {
    const { bytesMax = Number.POSITIVE_INFINITY, etag, range, signal } = options;
    signal?.throwIfAborted();
    const name = JSON.stringify(key);
    const object = this.#objects.get(key);
    if (!object) throw new StoreError('not-found', `There is no object ${name}.`);
    if (etag !== undefined && etag !== object.etag) {
      throw new StoreError('changed', `${name} was replaced: ${object.etag}, not ${etag}.`);
    }
    const bytes = range ? object.bytes.subarray(range.start, range.end) : object.bytes;
    const { length } = bytes;
    if (length > bytesMax) {
      throw new StoreError('too-large', `${name} has ${length} bytes, the limit is ${bytesMax}.`);
    }
    return { bytes: Buffer.from(bytes), etag: object.etag };
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return this.#infoOf(key);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<{ etag: string }> {
    if (key === '') throw new StoreError('refused', 'An empty key names no object.');
    requireCondition(options, this.#objects.get(key), JSON.stringify(key));
    this.#puts += 1;
    const etag = this.etagOf(key, bytes, this.#puts);
    this.#objects.set(key, { bytes: Buffer.from(bytes), etag });
    return { etag };
  }

  /** @param puts how many there were, with this one */
  protected etagOf(_key: string, bytes: Uint8Array, puts: number): string {
    return `${puts}-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
  }

  async delete(key: string, { ifMatch }: DeleteOptions = {}): Promise<void> {
    if (key === '') throw new StoreError('not-found', 'An empty key names no object.');
    const found = this.#objects.get(key);
    if (found) requireCondition({ ifMatch }, found, JSON.stringify(key));
    this.#objects.delete(key);
  }

  async check(): Promise<void> {}

  close(): void {}

  #infoOf(key: string): ObjectInfo | undefined {
    const object = this.#objects.get(key);
    return object && { key, etag: object.etag, bytes: object.bytes.length };
  }
}
