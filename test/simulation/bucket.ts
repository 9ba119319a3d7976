import { MemoryStore, type PutOptions, StoreError } from '@cutline/shared/stores';

/** What S3 allows. */
const keyBytesMax = 1024;

/** A bucket that does not take every key, and tells of what is put. */
export class Bucket extends MemoryStore {
  onPut: (key: string, bytes: Uint8Array) => void = () => {};

  override async put(key: string, bytes: Uint8Array, options?: PutOptions) {
    if (Buffer.byteLength(key) > keyBytesMax) {
      throw new StoreError('refused', `The key has more than ${keyBytesMax} bytes.`);
    }
    const done = await super.put(key, bytes, options);
    this.onPut(key, bytes);
    return done;
  }
}
