import { pipeline, Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { UserError } from '../../errors.ts';
import type { OpenList } from './open-list.ts';

/**
 * What a list is, by its content: compressed or not, Parquet, an S3 Inventory, or text. Names only
 * tell which of the texts it is (`.csv`, `.tsv`). What cannot be read is refused by what it is.
 */

export interface KnownList {
  kind: 'parquet' | 'inventory' | 'text';
  /** Decompressed; to be read once. */
  pieces: AsyncIterable<Uint8Array>;
  /** The beginning of them. */
  head: Buffer;
  /** Whether `OpenList.file` has the same bytes. */
  isAsStored: boolean;
}

/** @throws UserError for what no list is */
export async function recognise(list: OpenList): Promise<KnownList> {
  const stored = await peek(list.pieces);
  const decompressor = decompressorOf(list.name, stored.head);
  const plain = decompressor ? await peek(decompress(stored.pieces, decompressor)) : stored;
  const isAsStored = decompressor === undefined;
  const { head } = plain;
  if (startsWith(head, 'PAR1')) return { kind: 'parquet', ...plain, isAsStored };
  if (extensionOf(list.name) === '.parquet') {
    throw new UserError(
      `The list of keys ${list.name} is not a Parquet file: it begins otherwise.`,
    );
  }
  for (const [mark, advice] of Object.entries(refused)) {
    if (startsWith(head, mark)) throw new UserError(`The list of keys ${list.name} ${advice}`);
  }
  const isInventory = head[0] === 0x7b && inventoryField.test(head.toString('latin1'));
  if (isInventory) return { kind: 'inventory', ...plain, isAsStored };
  return { kind: 'text', head, pieces: inUtf8(plain.pieces, head, list.name), isAsStored };
}

/** Of the name of what is in it: `.csv` of `keys.CSV.gz`. */
export function extensionOf(name: string): string {
  const match = /\.[a-z0-9]+$/i.exec(name.replace(/\.(gz|zst)$/i, ''));
  return match ? match[0].toLowerCase() : '';
}

const refused: Record<string, string> = {
  ORC: 'is an ORC file, which Cutline does not read: make it Parquet or CSV.',
  'PK\u0003\u0004': 'is a workbook or a zip file: save it as CSV (UTF-8), and give that.',
};

/** Fields of manifest.json that no list of keys has in its first line. */
const inventoryField = /"(fileSchema|MD5checksum|destinationBucket)"\s*:/;

function startsWith(head: Buffer, mark: string): boolean {
  return head.subarray(0, mark.length).toString('latin1') === mark;
}

const headBytes = 64 * 1024;

/** @returns the first 64 KB, or all there is, and everything from the beginning on */
async function peek(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ head: Buffer; pieces: AsyncIterable<Uint8Array> }> {
  const iterator = pieces[Symbol.asyncIterator]();
  const seen: Uint8Array[] = [];
  for (let bytes = 0; bytes < headBytes; ) {
    const { value, done } = await iterator.next();
    if (done) break;
    seen.push(value);
    bytes += value.length;
  }
  const whole = async function* () {
    try {
      yield* seen;
      for (;;) {
        const { value, done } = await iterator.next();
        if (done) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return { head: Buffer.concat(seen).subarray(0, headBytes), pieces: whole() };
}

type Decompressor = NodeJS.ReadWriteStream & AsyncIterable<Buffer>;

function decompress(pieces: AsyncIterable<Uint8Array>, into: Decompressor): AsyncIterable<Buffer> {
  // An error of either is thrown to whoever reads.
  return pipeline(Readable.from(pieces), into, () => {}) as unknown as AsyncIterable<Buffer>;
}

/** @throws UserError where this Node.js cannot read it */
function decompressorOf(name: string, head: Buffer): Decompressor | undefined {
  if (startsWith(head, '\x1f\x8b') || /\.gz$/i.test(name)) return zlib.createGunzip();
  if (!startsWith(head, '\x28\xb5\x2f\xfd') && !/\.zst$/i.test(name)) return undefined;
  // Node.js 22.15 and 23.8 brought it, and the types are those of 20.
  const { createZstdDecompress } = zlib as { createZstdDecompress?: typeof zlib.createGunzip };
  if (createZstdDecompress) return createZstdDecompress();
  throw new UserError(
    `The list of keys ${name} is compressed with Zstandard, which Node.js ${process.versions.node} ` +
      'does not read: use 22.15 or newer, or pipe it: zstd -dc … | cutline … --keys-from -',
  );
}

/** What spreadsheet programs call Unicode text is put into UTF-8; what is in neither is refused. */
async function* inUtf8(
  pieces: AsyncIterable<Uint8Array>,
  head: Buffer,
  name: string,
): AsyncGenerator<Uint8Array> {
  const isUtf16 = startsWith(head, '\xff\xfe');
  const decoder = new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8', { fatal: true });
  let bytes = 0;
  const decode = (piece?: Uint8Array) => {
    try {
      return decoder.decode(piece, { stream: piece !== undefined });
    } catch {
      const seen = bytes > 0 ? ` (seen after ${bytes} bytes)` : '';
      throw new UserError(
        `The list of keys ${name} is not in UTF-8${seen}: save it as ` +
          'UTF-8 ("CSV UTF-8" in Excel), else no key with an accent would be found.',
      );
    }
  };
  for await (const piece of pieces) {
    const text = decode(piece);
    bytes += piece.length;
    yield isUtf16 ? Buffer.from(text) : piece;
  }
  decode();
}
