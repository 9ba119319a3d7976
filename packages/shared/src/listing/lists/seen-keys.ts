import { hash } from 'node:crypto';
import { SpilledTable, type TableOptions } from './spilled-table.ts';

/**
 * Which keys were there before, however many there are: 96 bits of each one's SHA-256.
 *
 * Two keys of one hash would be taken for one, and the second image be skipped: of 10^8 keys, with
 * a chance of 6 in 10^14. Record 27 says why so, and not otherwise.
 */
export class SeenKeys {
  readonly #table: SpilledTable;

  constructor(options: TableOptions = {}) {
    this.#table = new SpilledTable({ ...options, keyWords: 3 });
  }

  /** @returns whether it was added before. @throws UserError where the disk has no room */
  add(key: string): boolean {
    const entry = entryOf(key);
    if (this.#table.find(entry)) return true;
    this.#table.add(entry);
    return false;
  }

  /** Gives the temporary file's room back. */
  close(): void {
    this.#table.close();
  }
}

function entryOf(key: string) {
  const bytes = hash('sha256', key, 'buffer');
  const [a, b, c] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
  return { a, b, c: a === 0 && b === 0 && c === 0 ? 1 : c };
}
