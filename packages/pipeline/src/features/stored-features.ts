import { statfs } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Location, ObjectStore } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { realWorld, type World } from '../world.ts';
import { FeatureBooks } from './feature-books.ts';
import { patientWithFeatures, readIfThere } from './feature-objects.ts';
import type { FeatureMemory, FeatureStore } from './feature-store.ts';

/**
 * Features in a bucket or in a folder, an object each, where they are too large or too many for
 * the memory of a Redis. Their books are in the Redis that has the queues: what is in flight is
 * known at the price of one command, and no listing.
 *
 * A name is entered before its object is written, and struck out after it is deleted, so that an
 * object which is there is on the books, unless Redis forgot them: what is left over then is for
 * the bucket's lifecycle to remove (or for whoever keeps the folder). Objects whose time is over
 * stay until somebody sweeps, and may be read until then, which does no harm.
 */
export class StoredFeatures implements FeatureStore {
  readonly home: string;
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #ttlMs: number;
  readonly #books: FeatureBooks;

  constructor({
    store,
    prefix,
    redis,
    ttlMs,
    world = realWorld,
  }: {
    store: ObjectStore;
    /** Keys start with it: empty, or ends with a slash. */
    prefix: string;
    /** For the books. */
    redis: Redis;
    /** How long features wait for a decoder before they may be swept away. */
    ttlMs: number;
    world?: World;
  }) {
    this.#store = patientWithFeatures(store, world);
    this.#prefix = prefix;
    this.#ttlMs = ttlMs;
    this.home = storedHome({ store: store.url, prefix });
    this.#books = new FeatureBooks(redis, { home: this.home, world });
  }

  async put(name: string, blob: Buffer): Promise<number> {
    const bytes = await this.#books.enter(name, { bytes: blob.byteLength, ttlMs: this.#ttlMs });
    try {
      await this.#store.put(this.#key(name), blob, { contentType: 'application/octet-stream' });
    } catch (error) {
      // Nobody will come for it. On the books it would keep encoders from going on after an outage.
      await this.#books.strike([name]);
      throw error;
    }
    return bytes;
  }

  get(name: string): Promise<Buffer | undefined> {
    return readIfThere(this.#store, this.#key(name));
  }

  remove(name: string): Promise<void> {
    return this.#remove([name]);
  }

  async removeAll(start: string, { except }: { except?: string | undefined } = {}): Promise<void> {
    const names = await this.#books.names(start);
    await this.#remove(names.filter((name) => name !== except));
  }

  async bytesInFlight(): Promise<number> {
    for (;;) {
      const names = await this.#books.expired();
      if (names.length === 0) return this.#books.bytesInFlight();
      await this.#remove(names);
    }
  }

  /** Of a folder: what features take there, and what they might take. A bucket has no end. */
  async memory(): Promise<FeatureMemory> {
    if (!this.#store.url.startsWith('file:')) {
      return { usedBytes: 0, limitBytes: Number.POSITIVE_INFINITY };
    }
    await this.#store.check();
    const usedBytes = await this.#books.bytesInFlight();
    const { bavail, bsize } = await statfs(fileURLToPath(this.#store.url));
    return { usedBytes, limitBytes: usedBytes + bavail * bsize };
  }

  async #remove(names: readonly string[]): Promise<void> {
    for (let start = 0; start < names.length; start += together) {
      const some = names.slice(start, start + together);
      await Promise.all(some.map((name) => this.#store.delete(this.#key(name))));
      await this.#books.strike(some);
    }
  }

  #key(name: string): string {
    return `${this.#prefix}${name}.features`;
  }
}

/** What names such a home in jobs: `s3://bucket/prefix/`, `file:///folder/`. */
export function storedHome({ store, prefix }: Location): string {
  return `${store}/${prefix}`;
}

/** Objects that are deleted at once. */
const together = 16;
