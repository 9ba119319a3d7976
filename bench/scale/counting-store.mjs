// @ts-check

import { MemoryStore } from '@cutline/shared/stores';
import { pageKeys } from './virtual-archive.mjs';

/** @import { ListOptions, ObjectStore, PutOptions } from '@cutline/shared/stores' */

/**
 * The output store in memory, which counts requests by kind, and lists from an index that is kept
 * in order: the time that a listing takes is in proportion to what it gives, as in S3.
 *
 * @implements {ObjectStore}
 */
export class CountingStore {
  url = 's3://captions';
  requests = { list: 0, get: 0, head: 0, put: 0, delete: 0 };
  /** Requests in hand at once, at most, since it was set to 0. */
  atOnceMax = 0;
  /** When a part was written last, in ms, and how many requests there had been until then. */
  lastPartMs = 0;
  requestsAtLastPart = 0;
  /** By folder of the run, of all that was ever put: parts that are compacted are deleted. */
  bytesPut = /** @type {Map<string, number>} */ (new Map());
  #store = new MemoryStore('s3://captions');
  /** @type {string[]} in order */
  #keys = [];
  #atOnce = 0;

  /** @param {string} [prefix] @param {ListOptions} [options] */
  async *list(prefix = '', { startAfter = '' } = {}) {
    const from =
      startAfter < prefix ? place(this.#keys, prefix) : placeAfter(this.#keys, startAfter);
    this.requests.list += 1;
    await null;
    for (let at = from; ; at++) {
      const key = this.#keys[at];
      if (key === undefined || !key.startsWith(prefix)) return;
      if (at > from && (at - from) % pageKeys === 0) this.requests.list += 1;
      const info = await this.#store.head(key);
      if (info) yield info;
    }
  }

  /** @type {ObjectStore['get']} */
  get(key, options) {
    this.requests.get += 1;
    return this.#whileCounted(this.#store.get(key, options));
  }

  /** @type {ObjectStore['head']} */
  head(key) {
    this.requests.head += 1;
    return this.#whileCounted(this.#store.head(key));
  }

  /** @param {string} key @param {Uint8Array} bytes @param {PutOptions} [options] */
  async put(key, bytes, options) {
    this.requests.put += 1;
    const put = await this.#store.put(key, bytes, options);
    const folder = key.split('/')[2] ?? '';
    this.bytesPut.set(folder, (this.bytesPut.get(folder) ?? 0) + bytes.length);
    const at = place(this.#keys, key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
    if (key.includes('/parts/')) {
      this.lastPartMs = performance.now();
      this.requestsAtLastPart = this.total;
    }
    return put;
  }

  /** @type {ObjectStore['delete']} */
  async delete(key, options) {
    this.requests.delete += 1;
    await this.#store.delete(key, options);
    const at = place(this.#keys, key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  get total() {
    return Object.values(this.requests).reduce((sum, n) => sum + n, 0);
  }

  async check() {
    this.requests.list += 1;
  }

  close() {}

  /** The answer comes a turn of the event loop later. @template T @param {Promise<T>} answer */
  async #whileCounted(answer) {
    this.#atOnce += 1;
    this.atOnceMax = Math.max(this.atOnceMax, this.#atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.#atOnce -= 1;
    return answer;
  }
}

/** Of the first key that is not before it. @param {string[]} keys @param {string} key */
function place(keys, key) {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {string} */ (keys[middle]) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {string[]} keys @param {string} key */
function placeAfter(keys, key) {
  const at = place(keys, key);
  return keys[at] === key ? at + 1 : at;
}
