import type { ObjectStore } from './object-store.ts';
import { openStore } from './open-store.ts';
import type { StoreConfig } from './s3/s3-config.ts';

/** A store that nobody has asked for so long belongs to a run of the past. */
const inUseMs = 15 * 60_000;

/** The stores that jobs name, each opened once. */
export class StorePool {
  readonly #config: StoreConfig;
  readonly #now: () => number;
  readonly #stores = new Map<string, Promise<ObjectStore>>();
  /** When each was asked for last, in ms. */
  readonly #askedMs = new Map<string, number>();

  constructor(config: StoreConfig = {}, now: () => number = Date.now) {
    this.#config = config;
    this.#now = now;
  }

  /** @param url `s3://bucket` or `file:///folder`, without a prefix. */
  open(url: string): Promise<ObjectStore> {
    this.#askedMs.set(url, this.#now());
    let store = this.#stores.get(url);
    if (!store) {
      store = openStore(url, this.#config);
      // One that could not be opened is tried anew the next time.
      store.catch(() => this.#stores.delete(url));
      this.#stores.set(url, store);
    }
    return store;
  }

  /** Throws when a store that is in use, or was a little while ago, cannot be reached now. */
  async check(): Promise<void> {
    for (const [url, store] of this.#stores) {
      const sinceMs = this.#now() - (this.#askedMs.get(url) ?? 0);
      if (sinceMs <= inUseMs) await (await store).check();
    }
  }

  async close(): Promise<void> {
    for (const store of this.#stores.values()) (await store).close();
    this.#stores.clear();
  }
}
