/** The bytes of a pickle, from the first to the last. */
import { PickleRefusal } from './pickle-values.ts';

/** Names of classes are short. */
const lineBytesMax = 256;

export class PickleBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** @throws PickleRefusal when it is too large to be a length. */
  uint64(): number {
    return safe(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** The one number that is big-endian. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** A whole number in two's complement, of so many bytes. */
  signed(bytes: number): number {
    if (bytes > 8) throw new PickleRefusal(`has a whole number of ${bytes} bytes`);
    let value = 0n;
    const begin = this.#advance(bytes);
    for (let i = bytes - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(this.#view.getUint8(begin + i));
    return safe(BigInt.asIntN(bytes * 8, value));
  }

  /** UTF-8. */
  text(bytes: number): string {
    const begin = this.#advance(bytes);
    return decode(this.#bytes.subarray(begin, begin + bytes));
  }

  /** Up to a line feed, which is not part of it. */
  line(): string {
    const length = this.#bytes.subarray(this.#at, this.#at + lineBytesMax).indexOf(0x0a);
    if (length < 0) throw new PickleRefusal('has a name that does not end');
    const text = this.text(length);
    this.#advance(1);
    return text;
  }

  #advance(bytes: number): number {
    const begin = this.#at;
    if (begin + bytes > this.#bytes.length) throw new PickleRefusal('is truncated');
    this.#at += bytes;
    return begin;
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new PickleRefusal('has text that is not UTF-8');
  }
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new PickleRefusal(`has the whole number ${value}`);
  return number;
}
