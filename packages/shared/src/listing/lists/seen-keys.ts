import { hash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, UserError } from '../../errors.ts';

/**
 * Which keys were there before: 96 bits of each one's SHA-256, in tables of at most 3.1 million keys.
 * The last is in memory (50 MB); those that are full lie in a temporary file, just as they were (16
 * bytes a key), and a filter of 4 MB each, in memory, says which of them need not be asked. So 10^8
 * keys take 180 MB of memory and 1.6 GB of disk.
 *
 * Two keys of one hash would be taken for one, and the second image be skipped: of 10^8 keys, with
 * a chance of 6 in 10^14. Record 27 says why so, and not otherwise.
 */
export class SeenKeys {
  readonly #folder: string;
  readonly #bitsMax: number;
  #table: Table;
  #file: SpillFile | undefined;
  readonly #filters: Filter[] = [];

  /**
   * @param folder for the temporary file, which is made where there is need of it
   * @param bitsMax of the number of places in a table
   */
  constructor({ folder = tmpdir(), bitsMax = 22 }: { folder?: string; bitsMax?: number } = {}) {
    this.#folder = folder;
    this.#bitsMax = bitsMax;
    this.#table = new Table(Math.min(bitsMax, 10));
  }

  /** @returns whether it was added before. @throws UserError where the file has no room */
  add(key: string): boolean {
    const digest = digestOf(key);
    if (this.#table.has(digest)) return true;
    for (const [n, filter] of this.#filters.entries()) {
      if (filter.mayHave(digest) && this.#file?.has(n, digest)) return true;
    }
    if (this.#table.isFull) this.#makeRoom();
    this.#table.add(digest);
    return false;
  }

  /** Gives the temporary file's room back. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #makeRoom(): void {
    const table = this.#table;
    if (table.bits < this.#bitsMax) {
      this.#table = new Table(table.bits + 1);
      for (const digest of table.digests()) this.#table.add(digest);
      return;
    }
    this.#file ??= new SpillFile(this.#folder, table.bits);
    this.#file.append(table);
    const filter = new Filter(table.bits + 3);
    for (const digest of table.digests()) filter.add(digest);
    this.#filters.push(filter);
    table.clear();
  }
}

/** Three words; never all zero, which is a place that is free. */
interface Digest {
  a: number;
  b: number;
  c: number;
}

function digestOf(key: string): Digest {
  const bytes = hash('sha256', key, 'buffer');
  const [a, b, c] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
  return { a, b, c: a === 0 && b === 0 && c === 0 ? 1 : c };
}

const words = 3;
const digestBytes = words * Uint32Array.BYTES_PER_ELEMENT;

/** How many of a table's places are taken at most: with more, searches grow long. */
const loadMax = 0.75;

/** The place of a digest is said by its first bits; where it is taken, it is the next that is free. */
function homeOf({ a }: Digest, bits: number): number {
  return a >>> (32 - bits);
}

/** Open addressing with linear probing (Knuth 1998, volume 3, section 6.4). */
class Table {
  readonly bits: number;
  readonly entries: Uint32Array<ArrayBuffer>;
  #size = 0;

  constructor(bits: number) {
    this.bits = bits;
    this.entries = new Uint32Array(words * 2 ** bits);
  }

  get isFull(): boolean {
    return this.#size >= loadMax * 2 ** this.bits;
  }

  has(digest: Digest): boolean {
    return this.#isAt(this.#placeOf(digest), digest);
  }

  add(digest: Digest): void {
    const at = words * this.#placeOf(digest);
    this.entries[at] = digest.a;
    this.entries[at + 1] = digest.b;
    this.entries[at + 2] = digest.c;
    this.#size += 1;
  }

  *digests(): Generator<Digest> {
    for (let at = 0; at < this.entries.length; at += words) {
      const digest = digestAt(this.entries, at);
      if (digest) yield digest;
    }
  }

  clear(): void {
    this.entries.fill(0);
    this.#size = 0;
  }

  /** Where it is, or would be. */
  #placeOf(digest: Digest): number {
    const last = 2 ** this.bits - 1;
    let place = homeOf(digest, this.bits);
    while (!this.#isFree(place) && !this.#isAt(place, digest)) place = (place + 1) & last;
    return place;
  }

  #isFree(place: number): boolean {
    const at = words * place;
    return this.entries[at] === 0 && this.entries[at + 1] === 0 && this.entries[at + 2] === 0;
  }

  #isAt(place: number, { a, b, c }: Digest): boolean {
    const at = words * place;
    return this.entries[at] === a && this.entries[at + 1] === b && this.entries[at + 2] === c;
  }
}

function digestAt(entries: Uint32Array, at: number): Digest | undefined {
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
  /** What is read at once: mostly, a search ends within it. */
  readonly #window: Uint32Array<ArrayBuffer>;
  #bytes = 0;

  constructor(parent: string, bits: number) {
    this.#bits = bits;
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

  has(table: number, { a, b, c }: Digest): boolean {
    const tableBytes = digestBytes * 2 ** this.#bits;
    let offset = digestBytes * homeOf({ a, b, c }, this.#bits);
    for (;;) {
      const wanted = Math.min(this.#window.byteLength, tableBytes - offset);
      readSync(this.#file, this.#window, 0, wanted, table * tableBytes + offset);
      for (let at = 0; at < wanted / Uint32Array.BYTES_PER_ELEMENT; at += words) {
        const found = digestAt(this.#window, at);
        if (!found) return false;
        if (found.a === a && found.b === b && found.c === c) return true;
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
    `Cannot keep in ${folder} which keys of the list were there before: ${describeError(cause)}. Of ` +
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

  add(digest: Digest): void {
    for (let n = 0; n < 4; n++) {
      const bit = this.#bit(digest, n);
      this.#bits[bit >>> 5]! |= 1 << (bit & 31);
    }
  }

  mayHave(digest: Digest): boolean {
    for (let n = 0; n < 4; n++) {
      const bit = this.#bit(digest, n);
      if (((this.#bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** Two hashes make as many as are wanted (Kirsch and Mitzenmacher 2006). */
  #bit({ b, c }: Digest, n: number): number {
    return (b + Math.imul(n, c | 1)) & this.#last;
  }
}
