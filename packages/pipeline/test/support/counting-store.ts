import {
  type GetOptions,
  type ListOptions,
  MemoryStore,
  type PutOptions,
} from '@cutline/shared/stores';

/** Keys of a page of S3's listing. */
const pageKeys = 1_000;

/** A store in memory that remembers what was asked of it: a request each, as S3 bills them. */
export class CountingStore extends MemoryStore {
  requests: { operation: string; key: string }[] = [];

  get total(): number {
    return this.requests.length;
  }

  /** Requests of a kind, for keys that contain a text. */
  count(operation: string, text = ''): number {
    return this.requests.filter((each) => each.operation === operation && each.key.includes(text))
      .length;
  }

  reset(): void {
    this.requests = [];
  }

  override async *list(prefix = '', options?: ListOptions) {
    this.#note('list', prefix);
    let keys = 0;
    for await (const info of super.list(prefix, options)) {
      yield info;
      keys += 1;
      if (keys % pageKeys === 0) this.#note('list', prefix);
    }
  }

  override get(key: string, options?: GetOptions) {
    this.#note('get', key);
    return super.get(key, options);
  }

  override head(key: string) {
    this.#note('head', key);
    return super.head(key);
  }

  override put(key: string, bytes: Uint8Array, options?: PutOptions) {
    this.#note('put', key);
    return super.put(key, bytes, options);
  }

  #note(operation: string, key: string): void {
    this.requests.push({ operation, key });
  }
}
