import { Readable } from 'node:stream';
import type { ImageRef } from '@cutline/shared/run';

/** Images that are listed before anybody asks for them, at most: some 20 MB. */
const aheadMax = 100_000;

/**
 * A listing that goes ahead of whoever works through it, so that there is a total to measure by.
 * Where it fails, that is thrown at once.
 */
export class CountedListing {
  /** Images so far. */
  listed = 0;
  isComplete = false;
  /** To be read once. */
  readonly images: AsyncIterable<ImageRef>;

  constructor(images: AsyncIterable<ImageRef>) {
    this.images = Readable.from(this.#count(images), { highWaterMark: aheadMax });
  }

  async *#count(images: AsyncIterable<ImageRef>): AsyncGenerator<ImageRef> {
    for await (const image of images) {
      this.listed += 1;
      yield image;
    }
    this.isComplete = true;
  }
}
