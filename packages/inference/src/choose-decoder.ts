import { ImageError } from '@cutline/shared/errors';
import type { Sharp } from 'sharp';
import type { DecodingDeadline } from './decoding-deadline.ts';
import type { PixelSize } from './enlarge.ts';
import { isSrgbProfile } from './icc-profile.ts';
import type { ImageType } from './image-type.ts';
import { jpegSegments, startOfScan } from './jpeg-markers.ts';
import type { loadSharp } from './load-sharp.ts';
import { decodeSecondly } from './second-decoder/second-decoder.ts';
import { settleSecond } from './second-decoder/settle-second.ts';
import { isDecompressed } from './tiff/decompress.ts';
import { judgeTiff } from './tiff/judge-tiff.ts';
import type { TiffPage } from './tiff/read-directories.ts';

/** Who decodes an image: what sharp's libvips would get wrong goes elsewhere. */

export interface DecodeLimits {
  /** Width times height of the source, told from its header before anything is allocated. */
  pixelsMax: number;
  /** Wall-clock time for one image. */
  timeoutMs: number;
}

/** At 'warning', libvips also stops at what it could conceal. */
export type FailOn = 'warning' | 'error';

/** A file that is to be decoded, and how. */
export interface ImageFile {
  sharp: Awaited<ReturnType<typeof loadSharp>>;
  bytes: Buffer;
  /** What a person would call its format. */
  name: string;
  limits: DecodeLimits;
  failOn: FailOn;
  deadline: DecodingDeadline;
}

export interface OpenImage {
  /** To be resized and put out; without alpha. */
  image: Sharp;
  /** As seen upright. */
  size: PixelSize;
  decoder: 'libvips' | 'ImageMagick';
  /** Which of several it is, from 0. */
  page: number;
  /** What a decoder other than sharp's has found out about the file, by name. */
  facts?: Record<string, string>;
  /**
   * Of samples that may not use all of their bits: the same, with those that they use taken for all.
   * Whether that is so, can only be seen when it is decoded.
   */
  stretched?: () => Promise<OpenImage>;
}

/**
 * Opens an image with whoever decodes its kind rightly: sharp's libvips, which is fast, or the second
 * decoder.
 * @throws ImageError, and what sharp throws
 */
export async function chooseDecoder(
  file: ImageFile,
  decoder: ImageType['decoder'],
): Promise<OpenImage> {
  const { bytes, name } = file;
  if (decoder === 'second') return openSecondly({ ...file, bytes: settleSecond(bytes, name) });
  if (name === 'TIFF') return openTiff(file);
  if (name === 'JPEG' && lacksEnd(bytes)) {
    // One that lacks only its end marker is whole; of more that is missing, libvips warns.
    return openFirst({ ...file, bytes: Buffer.concat([bytes, endMarker]), failOn: 'warning' });
  }
  return openFirst(file);
}

const endMarker = Buffer.from([0xff, 0xd9]);

/** What comes before its scans may have JPEGs of its own, with their ends: thumbnails in EXIF. */
function lacksEnd(jpeg: Buffer): boolean {
  const last = jpeg.lastIndexOf(endMarker);
  if (last < 0) return true;
  if (last >= jpeg.length - endMarker.length) return false; // as nearly always
  for (const { marker, at } of jpegSegments(jpeg)) if (marker === startOfScan) return last < at;
  return false;
}

async function openTiff(file: ImageFile): Promise<OpenImage> {
  const { bytes } = file;
  const { way, page, dropsExtraSample, greyBits, mayBeDim, jpeg } = judgeTiff(bytes);
  if (jpeg) {
    const preview = bytes.subarray(jpeg.offset, jpeg.offset + jpeg.bytes);
    return openFirst({ ...file, bytes: preview }, { orientation: jpeg.orientation });
  }
  if (way === 'second') return openSecondly(file);
  if (way === 'plain') return openSecondly(file, page);
  const opened = await openFirst(file, { page: page?.index, dropsExtraSample });
  if (greyBits !== undefined) spreadLevels(opened.image, greyBits);
  return mayBeDim ? { ...opened, stretched: () => openSecondly(file, page) } : opened;
}

/**
 * Grey of few bits stands for a range of greys each; libvips takes the ends of the scale for white
 * and black, and all else is off. In the middle of their ranges, they are off by the least.
 */
function spreadLevels(image: Sharp, bits: number): void {
  const levels = 2 ** bits;
  image.linear((levels - 1) / levels, 128 / levels);
}

/** @param page of a TIFF, if it is to be made plain first */
async function openSecondly(
  { sharp, bytes, name, limits, deadline }: ImageFile,
  page?: TiffPage,
): Promise<OpenImage> {
  const decoded = await decodeSecondly(bytes, { ...limits, name, page, deadline });
  const { pixels, decodedWidth, decodedHeight, width, height, facts } = decoded;
  const raw = { width: decodedWidth, height: decodedHeight, channels: 3 as const };
  const image = sharp(pixels, { raw, limitInputPixels: limits.pixelsMax });
  const size = { width, height };
  return { image, size, decoder: 'ImageMagick', page: page?.index ?? 0, ...(!page && { facts }) };
}

async function openFirst(
  file: ImageFile,
  {
    page = 0,
    dropsExtraSample = false,
    orientation = 1,
  }: { page?: number | undefined; dropsExtraSample?: boolean; orientation?: number } = {},
): Promise<OpenImage> {
  const { sharp, bytes, name, limits, failOn } = file;
  const pages = page > 0 ? { page } : {};
  const header = await sharp(bytes, { limitInputPixels: false, ...pages }).metadata();
  const { width, height } = header.autoOrient;
  if (width * height > limits.pixelsMax) {
    throw new ImageError(
      'too-large',
      `${width}×${height} is ${width * height} pixels; at most ${limits.pixelsMax} are accepted`,
    );
  }
  const isSrgb = header.icc !== undefined && isSrgbProfile(header.icc);
  // libvips leaves profiles of 16-bit grey unused.
  if (header.space === 'grey16' && header.icc && !isSrgb) {
    const own = name === 'TIFF' ? judgeTiff(bytes).page : undefined;
    return openSecondly(file, own && isDecompressed(own.compression) ? own : undefined);
  }

  const image = sharp(bytes, {
    autoOrient: true,
    failOn,
    ignoreIcc: isSrgb,
    limitInputPixels: limits.pixelsMax,
    ...pages,
  });
  // sharp (0.35) converts 16-bit RGB with a profile to Display P3, and leaves it so although sRGB
  // is asked for. Reduced to 8 bit first, it takes the same way as other images.
  if (header.space === 'rgb16' && header.icc) image.pipelineColourspace('srgb');
  if (dropsExtraSample) image.removeAlpha();
  else image.flatten({ background: '#ffffff' });
  // A preview is as the camera held it, and says less of that than the file around it.
  const turn = header.orientation === undefined ? (turns.get(orientation) ?? 0) : 0;
  if (turn !== 0) image.rotate(turn);
  // The deadline is the caller's; this one stops libvips, which would otherwise go on in vain.
  image.timeout({ seconds: Math.min(Math.ceil(limits.timeoutMs / 1000), 3600) });
  const size = turn % 180 === 0 ? { width, height } : { width: height, height: width };
  return { image, size, decoder: 'libvips', page };
}

/** Clockwise, in degrees, by EXIF's orientation. */
const turns = new Map([
  [3, 180],
  [6, 90],
  [8, 270],
]);
