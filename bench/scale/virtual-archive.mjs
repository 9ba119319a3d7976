// @ts-check

import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from '@cutline/shared/stores';

/** @import { GetOptions, ListOptions, ObjectInfo, ObjectStore } from '@cutline/shared/stores' */

/** Keys of a page, as S3 lists them. */
export const pageKeys = 1_000;
const bytes = Buffer.alloc(100);

/**
 * A bucket with any number of images of 100 bytes, none of which is kept anywhere: keys are
 * computed from their numbers. It counts requests, as S3 would bill them.
 *
 * @implements {ObjectStore}
 */
export class VirtualArchive {
  url = 's3://archive';
  lists = 0;
  gets = 0;
  /** Until a page of a listing comes, in ms. */
  pageMs = 0;
  pagesInHand = 0;
  /** After so many keys, a listing breaks off. */
  breaksAfter = Number.POSITIVE_INFINITY;
  #images;

  /** @param {number} images */
  constructor(images) {
    this.#images = images;
  }

  /**
   * @param {string} [_prefix]
   * @param {ListOptions} [options]
   * @returns {AsyncGenerator<ObjectInfo>}
   */
  async *list(_prefix, { startAfter } = {}) {
    const first = startAfter === undefined ? 0 : this.#firstAfter(startAfter);
    for (let image = first; image < this.#images; image++) {
      if ((image - first) % pageKeys === 0) {
        this.lists += 1;
        // As between two answers, others have their turn.
        this.pagesInHand += 1;
        await (this.pageMs > 0 ? sleep(this.pageMs) : null);
        this.pagesInHand -= 1;
      }
      if (image >= this.breaksAfter)
        throw new StoreError('misconfigured', 'The listing broke off.');
      yield { key: keyOf(image), etag: `${image}`, bytes: bytes.length };
    }
  }

  /** @param {string} text whatever it is @returns the first image whose key comes after it */
  #firstAfter(text) {
    let [low, high] = [0, this.#images];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keyOf(middle) <= text) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {string} key @param {GetOptions} [_options] */
  async get(key, _options) {
    this.gets += 1;
    return { bytes, etag: `${numberOf(key)}` };
  }

  /** @returns {Promise<never>} */
  async head() {
    throw new Error('nobody asks for it');
  }

  /** @returns {Promise<never>} */
  async put() {
    throw new Error('the archive is only read');
  }

  /** @returns {Promise<never>} */
  async delete() {
    throw new Error('the archive is only read');
  }

  async check() {
    this.lists += 1;
  }

  close() {}
}

/** Folders of ten thousand, which sort as their numbers do. @param {number} image */
function keyOf(image) {
  const folder = String(Math.floor(image / 10_000)).padStart(6, '0');
  return `scans/${folder}/${String(image).padStart(10, '0')}.jpg`;
}

/** @param {string} key */
export function numberOf(key) {
  return Number(key.slice(-14, -4));
}
