import { hash } from 'node:crypto';
import { SpilledTable, type TableOptions } from './spilled-table.ts';

/**
 * Where each of many texts was first: a number beside 64 bits of its SHA-256, however many there
 * are. Of 10^8 texts, some two have the same bits with a chance of 3 in 10^4: whoever asks makes sure
 * that what is there is what was meant.
 */
export class FirstPlaces {
  readonly #table: SpilledTable;

  constructor(options: TableOptions = {}) {
    this.#table = new SpilledTable({ ...options, keyWords: 2 });
  }

  /**
   * @param place from 0, below 2^32 - 1
   * @returns where it was before; undefined where it was not: then this is its place
   */
  firstOf(text: string, place: number): number | undefined {
    const bytes = hash('sha256', text, 'buffer');
    const entry = { a: bytes.readUInt32LE(0), b: bytes.readUInt32LE(4), c: place + 1 };
    const found = this.#table.find(entry);
    if (found) return found.c - 1;
    this.#table.add(entry);
    return undefined;
  }

  /** Gives the temporary file's room back. */
  close(): void {
    this.#table.close();
  }
}
