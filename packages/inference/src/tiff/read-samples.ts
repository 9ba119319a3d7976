import { ImageError } from '@cutline/shared/errors';
import { decompress } from './decompress.ts';
import type { TiffPage } from './read-directories.ts';

/** Samples of a page as numbers, whatever their width, order and layout. */

/** A row of a strip or tile, as far as it is within the image. */
export interface SampleRow {
  x: number;
  y: number;
  pixels: number;
  /** [pixels or more, samples] */
  values: Float64Array;
}

/**
 * Of a strip or tile, row by row. Its values are used before the next is asked for: the room is the
 * same.
 * @throws ImageError `corrupt` or `unsupported`
 */
export function* sampleRows(bytes: Buffer, page: TiffPage): Generator<SampleRow> {
  const { width, height, chunkWidth, chunkRows, isPlanar, isTiled, samplesPerPixel } = page;
  const across = Math.ceil(width / chunkWidth);
  const places = across * Math.ceil(height / chunkRows);
  const planes = isPlanar ? samplesPerPixel : 1;
  const read = rowReader(page);
  const values = new Float64Array(chunkWidth * samplesPerPixel);
  const plane = isPlanar ? new Float64Array(chunkWidth) : values;
  for (let place = 0; place < places; place++) {
    const x = (place % across) * chunkWidth;
    const top = Math.floor(place / across) * chunkRows;
    const rows = isTiled ? chunkRows : Math.min(chunkRows, height - top);
    const unpacked = Array.from({ length: planes }, (_, p) =>
      unpack(chunkAt(bytes, page, p * places + place), page, rows),
    );
    const pixels = Math.min(chunkWidth, width - x);
    for (let row = 0; row < Math.min(rows, height - top); row++) {
      for (const [p, { bytes: packed, rowBytes }] of unpacked.entries()) {
        read(packed, row * rowBytes, plane);
        if (!isPlanar) continue;
        for (let n = 0; n < pixels; n++) values[n * samplesPerPixel + p] = plane[n] as number;
      }
      yield { x, y: top + row, pixels, values };
    }
  }
}

function chunkAt(bytes: Buffer, { chunks }: TiffPage, n: number): Uint8Array {
  const { offset, bytes: length } = chunks[n] as TiffPage['chunks'][number]; // all are there
  return bytes.subarray(offset, Number.isNaN(length) ? undefined : offset + length);
}

/** Bytes of one strip or tile, more than which nobody writes. */
const chunkBytesMax = 2 ** 30;

function unpack(chunk: Uint8Array, page: TiffPage, rows: number) {
  const { chunkWidth, isPlanar, samplesPerPixel, bitsPerSample, photometric } = page;
  const [across, down] = page.subsampling;
  if (photometric === ycbcr && (across > 1 || down > 1)) {
    const units = Math.ceil(chunkWidth / across);
    const layout = { rowBytes: units * (across * down + 2), rows: Math.ceil(rows / down) };
    return spread(decompress(chunk, page, layout), page, rows);
  }
  const bits = chunkWidth * (isPlanar ? 1 : samplesPerPixel) * (bitsPerSample[0] ?? 1);
  const rowBytes = Math.ceil(bits / 8);
  if (rowBytes * rows > chunkBytesMax) {
    throw new ImageError(
      'corrupt',
      'TIFF that cannot be decoded: a strip or tile of gigabytes is promised',
    );
  }
  return { bytes: decompress(chunk, page, { rowBytes, rows }), rowBytes };
}

const ycbcr = 6;

/** Colour differences that pixels share, to each of them: [rows, width, 3]. */
function spread(
  units: Buffer,
  { chunkWidth, subsampling: [across, down] }: TiffPage,
  rows: number,
) {
  const rowBytes = chunkWidth * 3;
  const bytes = Buffer.alloc(rowBytes * rows);
  const unitBytes = across * down + 2;
  const unitsAcross = Math.ceil(chunkWidth / across);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < chunkWidth; x++) {
      const unit = (Math.floor(y / down) * unitsAcross + Math.floor(x / across)) * unitBytes;
      const to = y * rowBytes + x * 3;
      bytes[to] = units[unit + (y % down) * across + (x % across)] ?? 0;
      bytes[to + 1] = units[unit + across * down] ?? 0;
      bytes[to + 2] = units[unit + across * down + 1] ?? 0;
    }
  }
  return { bytes, rowBytes };
}

type RowReader = (bytes: Buffer, at: number, values: Float64Array) => void;

/** @throws ImageError `unsupported` */
function rowReader({ bitsPerSample, sampleFormat, isLittleEndian }: TiffPage): RowReader {
  const bits = bitsPerSample[0] ?? 1;
  const whole = wholeReader(bits, sampleFormat);
  if (whole) {
    return (bytes, at, values) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at);
      for (let n = 0; n < values.length; n++) {
        values[n] = whole(view, (n * bits) / 8, isLittleEndian);
      }
    };
  }
  const isSigned = sampleFormat === 2;
  if (sampleFormat === 3 || bits > 32 || new Set(bitsPerSample).size > 1) {
    const what = sampleFormat === 3 ? 'floating-point samples' : 'samples';
    const message = `a variant of TIFF that is not decoded: with ${what} of ${bitsPerSample.join(', ')} bits`;
    throw new ImageError('unsupported', message);
  }
  // Of 24 and 32 bits bytes have their order; narrower ones are packed, the highest bit first.
  if (bits === 24) {
    return (bytes, at, values) => {
      for (let n = 0; n < values.length; n++) {
        const place = at + n * 3;
        if (isSigned)
          values[n] = isLittleEndian ? bytes.readIntLE(place, 3) : bytes.readIntBE(place, 3);
        else values[n] = isLittleEndian ? bytes.readUIntLE(place, 3) : bytes.readUIntBE(place, 3);
      }
    };
  }
  return (bytes, at, values) => {
    let [place, buffer, held] = [at, 0, 0];
    for (let n = 0; n < values.length; n++) {
      let [value, wanted] = [0, bits];
      while (wanted > 0) {
        if (held === 0) [buffer, held] = [bytes[place++] as number, 8];
        const taken = Math.min(wanted, held);
        value = value * 2 ** taken + ((buffer >> (held - taken)) & (2 ** taken - 1));
        held -= taken;
        wanted -= taken;
      }
      values[n] = isSigned && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
    }
  };
}

type NumberReader = (view: DataView, at: number, isLittleEndian: boolean) => number;

/** undefined for widths that computers do not count in. */
function wholeReader(bits: number, format: number): NumberReader | undefined {
  const [unsigned, signed, float] = [1, 2, 3];
  const kind = format === signed || format === float ? format : unsigned;
  const readers: Record<number, Record<number, NumberReader>> = {
    [unsigned]: {
      8: (view, at) => view.getUint8(at),
      16: (view, at, little) => view.getUint16(at, little),
      32: (view, at, little) => view.getUint32(at, little),
      64: (view, at, little) => Number(view.getBigUint64(at, little)),
    },
    [signed]: {
      8: (view, at) => view.getInt8(at),
      16: (view, at, little) => view.getInt16(at, little),
      32: (view, at, little) => view.getInt32(at, little),
      64: (view, at, little) => Number(view.getBigInt64(at, little)),
    },
    [float]: {
      16: (view, at, little) => halfToNumber(view.getUint16(at, little)),
      32: (view, at, little) => view.getFloat32(at, little),
      64: (view, at, little) => view.getFloat64(at, little),
    },
  };
  return readers[kind]?.[bits];
}

/** IEEE 754's number of 16 bits. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
