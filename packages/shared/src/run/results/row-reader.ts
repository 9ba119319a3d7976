import type { PartRow } from '../part.ts';
import type { RunStore } from '../run-store.ts';
import { isGone, openChunkRows, type ReadableRun, type RowPlace } from './chunk-rows.ts';

/** Kept in memory: people go through lists, and back. */
const partsMax = 64;
const chunksMax = 3;

/**
 * Reads single rows of a run again, from where `placeRows` found them; or from where they are since,
 * if their chunk was compacted meanwhile.
 */
export class RowReader {
  readonly #runStore: RunStore;
  readonly #state: ReadableRun;
  readonly #parts = new Recent<readonly PartRow[]>(partsMax);
  readonly #chunks = new Recent<ReadonlyMap<number, PartRow>>(chunksMax);

  constructor(runStore: RunStore, state: ReadableRun) {
    this.#runStore = runStore;
    this.#state = state;
  }

  /** @throws StoreError where it is not there any more */
  async read({ chunk, image, part }: RowPlace): Promise<PartRow> {
    const row = part && (await this.#readLine(part));
    const found = row ?? (await this.#readChunk(chunk)).get(image);
    if (!found) throw new Error(`chunk ${chunk} has no row of its image ${image} any more`);
    return found;
  }

  async #readLine(part: NonNullable<RowPlace['part']>): Promise<PartRow | undefined> {
    const read = async () => (await this.#runStore.readPart(part)).rows;
    try {
      return (await this.#parts.get(part.key, read))[part.line];
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  #readChunk(chunk: number): Promise<ReadonlyMap<number, PartRow>> {
    return this.#chunks.get(String(chunk), async () => {
      const { reads } = await openChunkRows(this.#runStore, this.#state, chunk);
      const found = new Map<number, PartRow>();
      for (const read of reads) {
        for (const { row, place } of (await read()).rows) found.set(place.image, row);
      }
      return found;
    });
  }
}

/** What was loaded last, up to so many; what failed is tried again. */
class Recent<Value> {
  readonly #max: number;
  /** By key, the one that was used last at the end. */
  readonly #values = new Map<string, Promise<Value>>();

  constructor(max: number) {
    this.#max = max;
  }

  async get(key: string, load: () => Promise<Value>): Promise<Value> {
    const value = this.#values.get(key) ?? load();
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#max) this.#values.delete(this.#values.keys().next().value ?? '');
    try {
      return await value;
    } catch (error) {
      this.#values.delete(key);
      throw error;
    }
  }
}
