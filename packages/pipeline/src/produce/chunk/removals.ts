import { describeError } from '@cutline/shared/errors';
import type { Logger } from '@cutline/shared/process';
import type { Claim, RunStore } from '@cutline/shared/run';
import { StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';

const deletesAtOnce = 16;

/**
 * Deletes what ledgers have made void, beside all else: nobody waits for it but the producer's end.
 * Not where somebody has claimed the run since, who may have looked for ledgers before they were
 * there, and go by what is to be deleted.
 */
export class Removals {
  readonly #runStore: RunStore;
  readonly #log: Logger;
  readonly #limit = pLimit(deletesAtOnce);
  #done: Promise<void> = Promise.resolve();
  #isDenied = false;

  constructor(runStore: RunStore, log: Logger) {
    this.#runStore = runStore;
    this.#log = log;
  }

  /**
   * @param keys that are void by a ledger which is there
   * @param claim under which that was written, or read
   */
  add(claim: Claim, keys: readonly string[]): void {
    this.#done = this.#done.then(() => this.#remove(claim, keys));
    this.#done.catch(() => {}); // it is heard in the end
  }

  /** @throws what a deletion failed of: then those after it were not tried */
  async end(): Promise<void> {
    await this.#done;
  }

  async #remove({ generation, owner }: Claim, keys: readonly string[]): Promise<void> {
    const { store } = this.#runStore;
    if (this.#isDenied || keys.length === 0) return;
    if (await this.#runStore.isSuperseded(generation, owner)) return;
    try {
      await Promise.all(keys.map((key) => this.#limit(() => store.delete(key))));
    } catch (error) {
      if (!(error instanceof StoreError) || error.reason !== 'access-denied') throw error;
      this.#isDenied = true;
      this.#log.warn(
        { error: describeError(error) },
        'parts that are compacted stay where they are',
      );
    }
  }
}
