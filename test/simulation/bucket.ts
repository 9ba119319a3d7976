import { parseResultsName, RunStore } from '@cutline/shared/run';
import {
  type DeleteOptions,
  MemoryStore,
  type PutOptions,
  StoreError,
} from '@cutline/shared/stores';

/** What S3 allows. */
const keyBytesMax = 1024;

/** What a run writes once, and never again: all but its summary. */
const writtenOnce =
  /(^|\/)runs\/[^/]+\/(run\.json|(claims|manifest|parts|sidecars|results|ledger)\/.+)$/;

/** A bucket that does not take every key, and tells of what is put. */
export class Bucket extends MemoryStore {
  /** Keys that were to be written once, and were written over. */
  readonly writtenOver: string[] = [];
  /** Parts, and files of chunks, that were deleted while it was still them that counted. */
  readonly deletedTooSoon: string[] = [];
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

  override async delete(key: string, options?: DeleteOptions) {
    if (!(await this.#isReplaced(key))) this.deletedTooSoon.push(key);
    return super.delete(key, options);
  }

  /** Of what a run found out: whether the latest ledger of the chunk names a file that has it, too. */
  async #isReplaced(key: string): Promise<boolean> {
    const [, prefix = '', name = '', object = ''] = /^(.*?)runs\/([^/]+)\/(.+)$/.exec(key) ?? [];
    if (!/^(parts|results)\//.test(object)) return true;
    const run = new RunStore(this, prefix, name);
    const batch = run.parsePartKey(key)?.batch;
    const { chunkBatches } = await run.readRun();
    const chunk =
      batch === undefined ? parseResultsName(object)?.chunk : Math.floor(batch / chunkBatches);
    if (chunk === undefined) return true;
    const generation = await run.findLedger(chunk);
    if (generation === undefined) return false;
    const ledger = await run.readLedger(chunk, generation);
    if (ledger.format !== 4 || ledger.results.name === object) return false;
    return (await this.head(run.prefix + ledger.results.name)) !== undefined;
  }

  /** Of images it is said by their content alone, as S3 does: some are there twice. */
  protected override etagOf(key: string, bytes: Uint8Array, puts: number): string {
    return super.etagOf(key, bytes, key.includes('/') ? puts : 0);
  }
}
