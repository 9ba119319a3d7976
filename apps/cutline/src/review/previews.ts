/**
 * Pictures of a run's images for the page: upright, sRGB, no larger than a screen. They are made
 * when they are asked for, a few at a time, and kept for a while: a page asks ahead.
 */
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { makeThumbnail } from '../gallery/index.ts';
import type { IndexedImage } from './image-index.ts';
import type { Side } from './requests.ts';

/** Images that are decoded at a time: each may be large. */
const parallelism = 2;

/** Of what is kept. */
const bytesMax = 128 * 1024 * 1024;

/** The largest file that is read. */
const fileBytesMax = 1024 * 1024 * 1024;

export class Previews {
  readonly #source: ObjectStore;
  readonly #isMoved: boolean;
  readonly #limit = pLimit(parallelism);
  readonly #making = new Map<string, Promise<Buffer | undefined>>();
  /** The one that was asked for last at the end. */
  readonly #kept = new Map<string, Buffer>();
  #bytes = 0;

  /** @param isMoved whether it is another place than the run had them from, with ETags of its own */
  constructor(source: ObjectStore, { isMoved = false } = {}) {
    this.#source = source;
    this.#isMoved = isMoved;
  }

  /**
   * @returns a WebP file; undefined where the image is not what it was, or cannot be decoded.
   * @throws StoreError where the store does not answer
   */
  async get(image: IndexedImage, side: Side): Promise<Buffer | undefined> {
    const name = JSON.stringify([image.key, image.etag, side]);
    const kept = this.#kept.get(name);
    if (kept) {
      this.#kept.delete(name);
      this.#kept.set(name, kept);
      return kept;
    }
    const making = this.#making.get(name) ?? this.#limit(() => this.#make(image, side));
    this.#making.set(name, making);
    try {
      const made = await making;
      if (made && !this.#kept.has(name)) this.#keep(name, made);
      return made;
    } finally {
      this.#making.delete(name);
    }
  }

  async #make({ key, etag }: IndexedImage, side: Side): Promise<Buffer | undefined> {
    try {
      const wanted = this.#isMoved ? undefined : (etag ?? undefined);
      const options = { etag: wanted, bytesMax: fileBytesMax };
      const { bytes } = await this.#source.get(key, options);
      const made = await makeThumbnail(bytes, { longestSidePx: side, isBrisk: true }).catch(
        () => undefined,
      );
      return made?.bytes;
    } catch (error) {
      const isOutage = error instanceof StoreError && error.reason === 'unavailable';
      if (isOutage || !(error instanceof StoreError)) throw error;
      return undefined;
    }
  }

  #keep(name: string, made: Buffer): void {
    this.#kept.set(name, made);
    this.#bytes += made.length;
    for (const [oldest, bytes] of this.#kept) {
      if (this.#bytes <= bytesMax || oldest === name) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }
}
