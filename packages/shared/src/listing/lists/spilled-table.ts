import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, UserError } from '../../errors.ts';

/**
 * A hash table that goes on on the disk: of at most 3.1 million entries in memory (50 MB); those
 * that are full lie in a temporary file, just as they were (16 bytes an entry), and a filter of 4 MB
 * each, in memory, says which of them need not be asked. So 10^8 entries take 180 MB of memory and
 * 1.6 GB of disk.
 */
export class SpilledTable {
  readonly #folder: string;
  readonly #bitsMax: number;
  readonly #keyWords: 2 | 3;
  #table: Table;
  #file: SpillFile | undefined;
  readonly #filters: Filter[] = [];

  constructor({ folder = tmpdir(), bitsMax = 22, keyWords }: TableOptions & { keyWords: 2 | 3 }) {
    this.#folder = folder;
    this.#bitsMax = bitsMax;
    this.#keyWords = keyWords;
    this.#table = new Table(Math.min(bitsMax, 10), keyWords);
  }

  /** The entry of that key, if one was added. */
  find(key: Entry): Entry | undefined {
    const found = this.#table.find(key);
    if (found) return found;
    for (const [n, filter] of this.#filters.entries()) {
      const there = filter.mayHave(this.#hashed(key)) ? this.#file?.find(n, key) : undefined;
      if (there) return there;
    }
    return undefined;
  }

  /** One that is not there. @throws UserError where the file has no room */
  add(entry: Entry): void {
    if (this.#table.isFull) this.#makeRoom();
    this.#table.add(entry);
  }

  /** Gives the temporary file's room back. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #makeRoom(): void {
    const table = this.#table;
    if (table.bits < this.#bitsMax) {
      this.#table = new Table(table.bits + 1, this.#keyWords);
      for (const entry of table.all()) this.#table.add(entry);
      return;
    }
    this.#file ??= new SpillFile(this.#folder, table.bits, this.#keyWords);
    this.#file.append(table);
    const filter = new Filter(table.bits + 3);
    for (const entry of table.all()) filter.add(this.#hashed(entry));
    this.#filters.push(filter);
    table.clear();
  }

  /** The last two words of a key, of which places say less than of the first. */
  #hashed({ a, b, c }: Entry): [number, number] {
    return this.#keyWords === 3 ? [b, c] : [b, a];
  }
}

export interface TableOptions {
  /** For the temporary file, which is made where there is need of it. */
  folder?: string;
  /** Of the number of places in a table. */
  bitsMax?: number;
}

/**
 * Three words, never all zero, which is a place that is free. Of these the first two, or all, are
 * the key: bits of a hash. The rest is what is known of it.
 */
export interface Entry {
  a: number;
  b: number;
  c: number;
}

function isSame(one: Entry, { a, b, c }: Entry, keyWords: 2 | 3): boolean {
  return one.a === a && one.b === b && (keyWords === 2 || one.c === c);
}

const words = 3;
const entryBytes = words * Uint32Array.BYTES_PER_ELEMENT;

/** How many of a table's places are taken at most: with more, searches grow long. */
const loadMax = 0.75;

/** The place of an entry is said by its first bits; where it is taken, it is the next that is free. */
function homeOf({ a }: Entry, bits: number): number {
  return a >>> (32 - bits);
}

/** Open addressing with linear probing (Knuth 1998, volume 3, section 6.4). */
class Table {
  readonly bits: number;
  readonly entries: Uint32Array<ArrayBuffer>;
  readonly #keyWords: 2 | 3;
  #size = 0;

  constructor(bits: number, keyWords: 2 | 3) {
    this.bits = bits;
    this.#keyWords = keyWords;
    this.entries = new Uint32Array(words * 2 ** bits);
  }

  get isFull(): boolean {
    return this.#size >= loadMax * 2 ** this.bits;
  }

  find(key: Entry): Entry | undefined {
    return entryAt(this.entries, words * this.#placeOf(key));
  }

  add(entry: Entry): void {
    const at = words * this.#placeOf(entry);
    this.entries[at] = entry.a;
    this.entries[at + 1] = entry.b;
    this.entries[at + 2] = entry.c;
    this.#size += 1;
  }

  *all(): Generator<Entry> {
    for (let at = 0; at < this.entries.length; at += words) {
      const entry = entryAt(this.entries, at);
      if (entry) yield entry;
    }
  }

  clear(): void {
    this.entries.fill(0);
    this.#size = 0;
  }

  /** Where it is, or would be. */
  #placeOf(key: Entry): number {
    const { entries } = this;
    const last = 2 ** this.bits - 1;
    let place = homeOf(key, this.bits);
    for (;;) {
      const at = words * place;
      const [a, b, c] = [entries[at], entries[at + 1], entries[at + 2]];
      if (a === 0 && b === 0 && c === 0) return place;
      if (a === key.a && b === key.b && (this.#keyWords === 2 || c === key.c)) return place;
      place = (place + 1) & last;
    }
  }
}

function entryAt(entries: Uint32Array, at: number): Entry | undefined {
  const a = entries[at] ?? 0;
  const b = entries[at + 1] ?? 0;
  const c = entries[at + 2] ?? 0;
  return a === 0 && b === 0 && c === 0 ? undefined : { a, b, c };
}

/** Tables that are full, one after the other in a file, and searched where they lie. */
class SpillFile {
  readonly #folder: string;
  readonly #file: number;
  readonly #bits: number;
  readonly #keyWords: 2 | 3;
  /** What is read at once: mostly, a search ends within it. */
  readonly #window: Uint32Array<ArrayBuffer>;
  #bytes = 0;

  constructor(parent: string, bits: number, keyWords: 2 | 3) {
    this.#bits = bits;
    this.#keyWords = keyWords;
    this.#window = new Uint32Array(words * Math.min(64, 2 ** bits));
    try {
      this.#folder = mkdtempSync(join(parent, 'cutline-keys-'));
      this.#file = openSync(join(this.#folder, 'seen'), 'wx+', 0o600);
    } catch (error) {
      throw noRoom(parent, error);
    }
    this.#remove();
  }

  append({ entries }: Table): void {
    const bytes = Buffer.from(entries.buffer);
    try {
      for (let from = 0; from < bytes.length; ) {
        from += writeSync(this.#file, bytes, from, bytes.length - from, this.#bytes + from);
      }
    } catch (error) {
      throw noRoom(this.#folder, error);
    }
    this.#bytes += bytes.length;
  }

  find(table: number, key: Entry): Entry | undefined {
    const tableBytes = entryBytes * 2 ** this.#bits;
    let offset = entryBytes * homeOf(key, this.#bits);
    for (;;) {
      const wanted = Math.min(this.#window.byteLength, tableBytes - offset);
      readSync(this.#file, this.#window, 0, wanted, table * tableBytes + offset);
      for (let at = 0; at < wanted / Uint32Array.BYTES_PER_ELEMENT; at += words) {
        const found = entryAt(this.#window, at);
        if (!found || isSame(found, key, this.#keyWords)) return found;
      }
      offset = (offset + wanted) % tableBytes;
    }
  }

  close(): void {
    closeSync(this.#file);
    this.#remove();
  }

  /** While it is open, its name can go, so that nothing stays of a process that is killed. */
  #remove(): void {
    try {
      rmSync(this.#folder, { recursive: true, force: true });
    } catch (error) {
      if (process.platform !== 'win32') throw error; // there, it can go when it is closed
    }
  }
}

function noRoom(folder: string, cause: unknown): UserError {
  return new UserError(
    `Cannot keep in ${folder} what was listed before: ${describeError(cause)}. Of ` +
      'each million keys, 16 MB are needed: name a folder that has room with the variable TMPDIR.',
    { cause },
  );
}

/** Bloom's filter (1970), with four bits a key out of ten: says yes to one key in 80 wrongly. */
class Filter {
  readonly #bits: Uint32Array;
  readonly #last: number;

  /** @param logBits of the number of bits */
  constructor(logBits: number) {
    this.#bits = new Uint32Array(2 ** (logBits - 5));
    this.#last = 2 ** logBits - 1;
  }

  add(hashed: [number, number]): void {
    for (let n = 0; n < 4; n++) {
      const bit = this.#bit(hashed, n);
      this.#bits[bit >>> 5]! |= 1 << (bit & 31);
    }
  }

  mayHave(hashed: [number, number]): boolean {
    for (let n = 0; n < 4; n++) {
      const bit = this.#bit(hashed, n);
      if (((this.#bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** Two hashes make as many as are wanted (Kirsch and Mitzenmacher 2006). */
  #bit([one, other]: [number, number], n: number): number {
    return (one + Math.imul(n, other | 1)) & this.#last;
  }
}
