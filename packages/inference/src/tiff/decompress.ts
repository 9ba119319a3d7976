import zlib from 'node:zlib';
import { ImageError } from '@cutline/shared/errors';
import { decodeLzw } from './lzw.ts';
import type { TiffPage } from './read-directories.ts';

/** Strips and tiles to the bytes of their samples: what was made smaller without loss. */

type Method = (bytes: Uint8Array, bytesExpected: number) => Buffer;

/** By the number of the compression. */
const methods = new Map<number, Method>([
  [1, (bytes) => Buffer.from(bytes)],
  [5, decodeLzw],
  [8, inflate],
  [32946, inflate],
  [32773, decodePackBits],
]);

/** Since Node.js 22.15. */
const unpackZstd = (zlib as { zstdDecompressSync?: (bytes: Uint8Array, options: object) => Buffer })
  .zstdDecompressSync;
if (unpackZstd) {
  methods.set(50000, (bytes, expected) => unpackZstd(bytes, { maxOutputLength: expected + slack }));
}

export function isDecompressed(compression: number): boolean {
  return methods.has(compression);
}

/** What a strip or tile has beyond its samples, at most, before it is taken for damage. */
const slack = 65_536;

/**
 * @param rowBytes of one row of samples; @param rows of the strip or tile
 * @throws ImageError `corrupt` where there is less than that; `unsupported`
 */
export function decompress(
  chunk: Uint8Array,
  page: TiffPage,
  { rowBytes, rows }: { rowBytes: number; rows: number },
): Buffer {
  const method = methods.get(page.compression);
  if (!method) throw new Error(`compression ${page.compression} is not known here`);
  const bytesExpected = rowBytes * rows;
  let bytes: Buffer;
  try {
    bytes = method(page.fillOrder === 2 ? reverseBits(chunk) : chunk, bytesExpected);
  } catch (cause) {
    throw damaged(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (bytes.length < bytesExpected) {
    throw damaged(`${bytes.length} of ${bytesExpected} bytes of a strip or tile are there`);
  }
  if (page.predictor > 1) {
    for (let row = 0; row < rows; row++) {
      undoPredictor(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), page);
    }
  }
  return bytes;
}

function inflate(bytes: Uint8Array, bytesExpected: number): Buffer {
  const finishFlush = zlib.constants.Z_SYNC_FLUSH; // what lacks only its end is whole
  return zlib.inflateSync(bytes, { finishFlush, maxOutputLength: bytesExpected + slack });
}

/** Runs of a byte, and of bytes as they are (TIFF 6.0, section 9). */
function decodePackBits(bytes: Uint8Array, bytesExpected: number): Buffer {
  const out = Buffer.alloc(bytesExpected);
  let length = 0;
  for (let at = 0; at + 1 < bytes.length && length < bytesExpected; ) {
    const head = bytes[at++] as number;
    if (head < 128) {
      out.set(bytes.subarray(at, at + Math.min(head + 1, bytesExpected - length)), length);
      length += Math.min(head + 1, bytes.length - at);
      at += head + 1;
    } else if (head > 128) {
      out.fill(bytes[at++] as number, length, length + 257 - head);
      length += 257 - head;
    }
  }
  return out.subarray(0, length);
}

const reversed = Uint8Array.from({ length: 256 }, (_, byte) => {
  let bits = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) bits |= 0x80 >> bit;
  return bits;
});

function reverseBits(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => reversed[byte] as number);
}

/** In place. @throws ImageError `unsupported` */
function undoPredictor(row: Buffer, page: TiffPage): void {
  const { predictor, bitsPerSample, samplesPerPixel, isPlanar, isLittleEndian } = page;
  const size = (bitsPerSample[0] ?? 1) / 8;
  const stride = isPlanar ? 1 : samplesPerPixel;
  if (predictor === 2 && (size === 1 || size === 2 || size === 4)) {
    const bits = size * 8;
    const read = (at: number) =>
      isLittleEndian ? row.readUIntLE(at, size) : row.readUIntBE(at, size);
    const write = (value: number, at: number) =>
      isLittleEndian ? row.writeUIntLE(value, at, size) : row.writeUIntBE(value, at, size);
    for (let at = stride * size; at + size <= row.length; at += size) {
      write((read(at) + read(at - stride * size)) % 2 ** bits, at);
    }
    return;
  }
  if (predictor === 3 && Number.isInteger(size)) {
    // Bytes of the same weight stand together, the highest first (Adobe's technical note 3).
    for (let at = stride; at < row.length; at++) {
      row[at] = ((row[at] as number) + (row[at - stride] as number)) & 255;
    }
    const planes = Buffer.from(row);
    const count = row.length / size;
    for (let n = 0; n < count; n++) {
      for (let weight = 0; weight < size; weight++) {
        const place = isLittleEndian ? size - 1 - weight : weight;
        row[n * size + place] = planes[weight * count + n] as number;
      }
    }
    return;
  }
  const message = `a variant of TIFF that is not decoded: with predictor ${predictor} of ${size * 8} bits`;
  throw new ImageError('unsupported', message);
}

function damaged(why: string, cause?: unknown): ImageError {
  return new ImageError('corrupt', `TIFF that cannot be decoded: ${why}`, { cause });
}
