import { MemoryStore, type PutOptions, StoreError } from '@cutline/shared/stores';

/** What S3 allows. */
const keyBytesMax = 1024;

/** What a run writes once, and never again: all but its summary. */
const writtenOnce =
  /(^|\/)runs\/[^/]+\/(run\.json|(claims|manifest|parts|sidecars|results|ledger)\/.+)$/;

/** A bucket that does not take every key, and tells of what is put. */
export class Bucket extends MemoryStore {
  /** Keys that were to be written once, and were written over. */
  readonly writtenOver: string[] = [];
  onPut: (key: string, bytes: Uint8Array) => void = () => {};

  override async put(key: string, bytes: Uint8Array, options?: PutOptions) {
    if (Buffer.byteLength(key) > keyBytesMax) {
      throw new StoreError('refused', `The key has more than ${keyBytesMax} bytes.`);
    }
    const isThere = (await this.head(key)) !== undefined;
    const done = await super.put(key, bytes, options);
    if (isThere && writtenOnce.test(key)) this.writtenOver.push(key);
    this.onPut(key, bytes);
    return done;
  }

  /** Of images it is said by their content alone, as S3 does: some are there twice. */
  protected override etagOf(key: string, bytes: Uint8Array, puts: number): string {
    return super.etagOf(key, bytes, key.includes('/') ? puts : 0);
  }
}
