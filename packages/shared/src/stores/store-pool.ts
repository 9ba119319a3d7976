import type { ObjectStore } from './object-store.ts';
import { openStore } from './open-store.ts';
import type { StoreConfig } from './s3/s3-config.ts';

/** The stores that jobs name, each opened once. */
export class StorePool {
  readonly #config: StoreConfig;
  readonly #stores = new Map<string, Promise<ObjectStore>>();

  constructor(config: StoreConfig = {}) {
    this.#config = config;
  }

  /** @param url `s3://bucket` or `file:///folder`, without a prefix. */
  open(url: string): Promise<ObjectStore> {
    let store = this.#stores.get(url);
    if (!store) {
      store = openStore(url, this.#config);
      // One that could not be opened is tried anew the next time.
      store.catch(() => this.#stores.delete(url));
      this.#stores.set(url, store);
    }
    return store;
  }

  /** Throws when a store that was opened cannot be reached now. */
  async check(): Promise<void> {
    for (const store of this.#stores.values()) await (await store).check();
  }

  async close(): Promise<void> {
    for (const store of this.#stores.values()) (await store).close();
    this.#stores.clear();
  }
}
