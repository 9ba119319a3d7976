import zlib from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

/** Small images for tests, made on the spot; what is random is seeded. */

export interface Rgb {
  width: number;
  height: number;
  /** [height, width, 3] */
  pixels: Buffer;
}

/**
 * A smooth picture without any symmetry, so that a wrong orientation cannot look right: three waves
 * of different directions, one a channel, and a white corner.
 */
export function scene(width: number, height: number): Rgb {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [x / width, y / height];
      const at = (y * width + x) * 3;
      pixels[at] = 128 + 100 * Math.sin(7 * u + 2 * v);
      pixels[at + 1] = 128 + 100 * Math.sin(3 * u - 9 * v + 1);
      pixels[at + 2] = u + v < 0.3 ? 255 : 128 + 100 * Math.cos(11 * u * v);
    }
  }
  return { width, height, pixels };
}

export function plain(width: number, height: number, colour: string): Sharp {
  return sharp({ create: { width, height, channels: 3, background: colour } });
}

export function toSharp({ width, height, pixels }: Rgb): Sharp {
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/**
 * The picture as a camera stores it that notes `orientation` in EXIF, where 1 is upright, 6 means
 * "turn by 90° clockwise to view", and 2, 4, 5, 7 are mirrored.
 */
export async function storedWithOrientation(upright: Rgb, orientation: number): Promise<Buffer> {
  const swapsAxes = orientation >= 5;
  const width = swapsAxes ? upright.height : upright.width;
  const height = swapsAxes ? upright.width : upright.height;
  const pixels = Buffer.alloc(upright.pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [uprightX, uprightY] = uprightPosition(orientation, x, y, width - 1, height - 1);
      const from = (uprightY * upright.width + uprightX) * 3;
      upright.pixels.copy(pixels, (y * width + x) * 3, from, from + 3);
    }
  }
  return toSharp({ width, height, pixels }).withMetadata({ orientation }).png().toBuffer();
}

/** Where the stored pixel (x, y) is seen; X and Y are the stored image's last column and row. */
function uprightPosition(orientation: number, x: number, y: number, X: number, Y: number) {
  const positions: Record<number, [number, number]> = {
    1: [x, y],
    2: [X - x, y],
    3: [X - x, Y - y],
    4: [x, Y - y],
    5: [y, x],
    6: [Y - y, x],
    7: [Y - y, X - x],
    8: [y, X - x],
  };
  const position = positions[orientation];
  if (!position) throw new Error(`EXIF knows no orientation ${orientation}`);
  return position;
}

/** A PNG from raw scan lines, for headers that no encoder would write. */
export function handmadePng(options: {
  width: number;
  height: number;
  /** 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA */
  colourType: 0 | 2 | 4 | 6;
  bitDepth: 8 | 16;
  scanLines: Buffer;
}): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(options.width, 0);
  header.writeUInt32BE(options.height, 4);
  header[8] = options.bitDepth;
  header[9] = options.colourType;
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', zlib.deflateSync(options.scanLines)),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(zlib.crc32(body), body.length + 4);
  return chunk;
}

/** A little-endian TIFF of 16-bit grey samples, uncompressed, written by hand (TIFF 6.0, page 19). */
export function handmadeGrey16Tiff(width: number, height: number, samples: Uint16Array): Buffer {
  const [SHORT, LONG] = [3, 4];
  const headerBytes = 8;
  const entries: [tag: number, type: number, value: number][] = [
    [256, LONG, width],
    [257, LONG, height],
    [258, SHORT, 16], // bits per sample
    [259, SHORT, 1], // no compression
    [262, SHORT, 1], // black is zero
    [273, LONG, headerBytes], // where the pixels begin
    [277, SHORT, 1], // samples per pixel
    [278, LONG, height], // rows per strip
    [279, LONG, samples.length * 2], // bytes of the strip
  ];
  const pixels = Buffer.alloc(samples.length * 2);
  for (const [i, sample] of samples.entries()) pixels.writeUInt16LE(sample, i * 2);
  const header = Buffer.from('II*\0\0\0\0\0', 'latin1');
  header.writeUInt32LE(headerBytes + pixels.length, 4);
  const directory = Buffer.alloc(2 + entries.length * 12 + 4);
  directory.writeUInt16LE(entries.length, 0);
  for (const [i, [tag, type, value]] of entries.entries()) {
    directory.writeUInt16LE(tag, 2 + i * 12);
    directory.writeUInt16LE(type, 4 + i * 12);
    directory.writeUInt32LE(1, 6 + i * 12);
    directory.writeUInt32LE(value, 10 + i * 12);
  }
  return Buffer.concat([header, pixels, directory]);
}
