import { endianness } from 'node:os';
import { ImageError } from '@cutline/shared/errors';
import { coloursOf, toUnit } from './colours.ts';
import type { TiffPage } from './read-directories.ts';
import { sampleRows } from './read-samples.ts';
import { sampleRange } from './sample-range.ts';

/**
 * One page of a TIFF file as a file of its own that every decoder gets right: grey, RGB or CMYK in 8
 * or 16 bits, in one strip, uncompressed, black is zero, nothing beyond colours: what is transparent
 * is laid on white. It keeps its profile and orientation. For what is rare: widths, signs and
 * floating point, planes, colour spaces.
 *
 * @throws ImageError `too-large`, `corrupt` or `unsupported`
 */
export function plainTiff(bytes: Buffer, page: TiffPage, pixelsMax: number): Buffer {
  const { width, height, samplesPerPixel, extraSamples } = page;
  if (width * height > pixelsMax) {
    throw new ImageError(
      'too-large',
      `${width}×${height} is ${width * height} pixels; at most ${pixelsMax} are accepted`,
    );
  }
  const range = sampleRange(bytes, page);
  const colours = coloursOf(page, range);
  if (samplesPerPixel < colours.samples) {
    const message = `a variant of TIFF that is not decoded: ${samplesPerPixel} of ${colours.samples} samples of its colours`;
    throw new ImageError('unsupported', message);
  }
  const { channels } = colours;
  const place = colours.isSrgb ? undefined : page.profile;
  const profile = place && bytes.subarray(place.offset, place.offset + place.bytes);
  const bits = profile ? 16 : 8; // a profile may have much to say about the darkest
  const { file, pixels: out } = emptyTiff({ page, channels, bits, profile });
  const full = 2 ** bits - 1;

  const [extra = 0] = extraSamples;
  const isTransparent = samplesPerPixel > colours.samples && alphas.has(extra);
  const isPremultiplied = extra === premultiplied;
  const paper = channels === 4 ? 0 : 1;
  const pixel = new Float64Array(channels);
  for (const { x, y, pixels, values } of sampleRows(bytes, page)) {
    for (let n = 0; n < pixels; n++) {
      const at = n * samplesPerPixel;
      const to = (y * width + x + n) * channels;
      colours.read(values, at, pixel);
      const alpha = isTransparent ? toUnit(values[at + colours.samples] as number, range) : 1;
      for (let c = 0; c < channels; c++) {
        const own = (pixel[c] as number) * (isPremultiplied ? 1 : alpha);
        out[to + c] = Math.round(Math.min(1, own + paper * (1 - alpha)) * full);
      }
    }
  }
  return file;
}

/** ExtraSamples: colours that are multiplied by it, or not. */
const premultiplied = 1;
const alphas = new Set([premultiplied, 2]);

interface PlainFile {
  page: TiffPage;
  channels: number;
  bits: 8 | 16;
  profile: Buffer | undefined;
}

/** @returns the file, and where in it samples are to be put: [height, width, channels] */
function emptyTiff({ page, channels, bits, profile }: PlainFile) {
  const { width, height, orientation } = page;
  const pixelBytes = width * height * channels * (bits / 8);
  const [short, long, undefinedType] = [3, 4, 7];
  const photometric = { 1: 1, 3: 2, 4: 5 }[channels] as number;
  const bitsAt = 8;
  const pixelsAt = 16;
  const profileAt = pixelsAt + pixelBytes + (pixelBytes % 2);
  const profileBytes = profile ? profile.length + (profile.length % 2) : 0;
  const directoryAt = profileAt + profileBytes;
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, long, 1, width],
    [257, long, 1, height],
    channels === 1 ? [258, short, 1, bits] : [258, short, channels, bitsAt],
    [259, short, 1, 1],
    [262, short, 1, photometric],
    [273, long, 1, pixelsAt],
    [274, short, 1, orientation],
    [277, short, 1, channels],
    [278, long, 1, height],
    [279, long, 1, pixelBytes],
    ...(profile
      ? [[34675, undefinedType, profile.length, profileAt] as [number, number, number, number]]
      : []),
  ];
  const file = Buffer.alloc(directoryAt + 2 + entries.length * 12 + 4);
  const view = new DataView(file.buffer, file.byteOffset);
  const isLittle = endianness() === 'LE'; // samples are in the order of this machine
  file.write(isLittle ? 'II' : 'MM', 'latin1');
  view.setUint16(2, 42, isLittle);
  view.setUint32(4, directoryAt, isLittle);
  for (let c = 0; c < channels; c++) view.setUint16(bitsAt + c * 2, bits, isLittle);
  if (profile) file.set(profile, profileAt);
  view.setUint16(directoryAt, entries.length, isLittle);
  for (const [n, [tag, type, count, value]] of entries.entries()) {
    const at = directoryAt + 2 + n * 12;
    view.setUint16(at, tag, isLittle);
    view.setUint16(at + 2, type, isLittle);
    view.setUint32(at + 4, count, isLittle);
    if (type === short && count === 1) view.setUint16(at + 8, value, isLittle);
    else view.setUint32(at + 8, value, isLittle);
  }
  const area = file.subarray(pixelsAt, pixelsAt + pixelBytes);
  const isWide = bits === 16;
  const pixels = isWide ? new Uint16Array(file.buffer, area.byteOffset, area.length / 2) : area;
  return { file, pixels };
}
