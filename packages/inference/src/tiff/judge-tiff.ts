import { ImageError } from '@cutline/shared/errors';
import { jpegSegments } from '../jpeg-markers.ts';
import { isDecompressed } from './decompress.ts';
import { readDirectories, type TiffPage } from './read-directories.ts';

/**
 * Which picture of a TIFF file is meant, and who decodes it rightly. libvips does most, and fast;
 * but it leaves tiles black that are missing, takes any fourth sample for transparency, and some
 * kinds of samples for others. What it would get wrong is made plain first (plain-tiff.ts), or goes
 * to the second decoder as it is, or is refused with the variant's name.
 */
export interface TiffVerdict {
  way: 'first' | 'plain' | 'second' | 'jpeg';
  /** The picture; undefined where nothing of it can be made out, which whoever decodes will say. */
  page: TiffPage | undefined;
  /** A sample that is no colour and no transparency is left out, not laid on white. */
  dropsExtraSample: boolean;
  /** Bits of a sample of grey, where they are 2 or 4. */
  greyBits: number | undefined;
  /** Whether samples of 16 bits may have fewer that say something, as 12-bit scanners write them. */
  mayBeDim: boolean;
  /** For `jpeg`: where in the file it is, and how the camera was held (EXIF's orientation). */
  jpeg?: { offset: number; bytes: number; orientation: number };
}

/** @throws ImageError `unsupported` or `corrupt` */
export function judgeTiff(bytes: Buffer): TiffVerdict {
  const pages = readDirectories(bytes);
  const page = pages && choosePage(pages);
  const usual = { page, dropsExtraSample: false, greyBits: undefined, mayBeDim: false };
  if (!page) return { way: 'first', ...usual };
  if (pages.some(({ isRaw }) => isRaw) || rawSignatures.test(bytes.toString('latin1', 0, 10))) {
    const { orientation = 1 } = pages[0] ?? {};
    return { way: 'jpeg', ...usual, jpeg: { ...previewOf(pages, bytes), orientation } };
  }
  requireWhole(page, bytes.length);
  const extra =
    page.samplesPerPixel - (colours.get(page.photometric ?? -1) ?? page.samplesPerPixel);
  const isTransparent = page.extraSamples[0] === 1 || page.extraSamples[0] === 2;
  const verdict: TiffVerdict = {
    way: chooseWay(page, extra),
    page,
    dropsExtraSample: extra > 0 && !isTransparent,
    greyBits: greyBitsOf(page),
    mayBeDim: isDecompressed(page.compression) && page.bitsPerSample[0] === 16,
  };
  if (verdict.way === 'second' && page.index !== 0) {
    throw unsupported('whose first page is a thumbnail, and whose picture is of a rare kind');
  }
  return verdict;
}

/** Of Canon's CR2, and of Olympus and Panasonic, which are no TIFF by their third byte. */
const rawSignatures = /^II(\*\0.{4}CR|RO|RS|U\0)/s;

/** Samples of a colour, by photometric interpretation. */
const colours = new Map([
  [0, 1], // white is zero
  [1, 1], // black is zero
  [2, 3], // RGB
  [3, 1], // palette
  [5, 4], // CMYK
  [6, 3], // YCbCr
  [8, 3], // CIE L*a*b*
  [9, 3], // ICC's L*a*b*
]);

/** The first page, or, where that is a smaller version of another, the largest that is none. */
function choosePage(pages: readonly TiffPage[]): TiffPage | undefined {
  const [first] = pages;
  if (!first?.isReduced) return first;
  const whole = pages.filter(({ isReduced, index }) => !isReduced && index !== undefined);
  const area = ({ width, height }: TiffPage) => width * height;
  return whole.toSorted((a, b) => area(b) - area(a))[0] ?? first;
}

/** Compressions that sharp's libvips knows in strips and in tiles. */
const knownCompressions = new Set([1, 2, 3, 4, 5, 7, 8, 32773, 32946, 50001]);

const compressionNames = new Map([
  [1, 'uncompressed'],
  [2, 'CCITT'],
  [3, 'CCITT fax 3'],
  [4, 'CCITT fax 4'],
  [5, 'LZW'],
  [7, 'JPEG'],
  [8, 'Deflate'],
  [32773, 'PackBits'],
  [32946, 'Deflate'],
  [50001, 'WebP'],
  [6, 'old-style JPEG'],
  [34661, 'JBIG'],
  [34712, 'JPEG 2000'],
  [33003, 'JPEG 2000'],
  [33005, 'JPEG 2000'],
  [34887, 'LERC'],
  [34925, 'LZMA'],
  [34933, 'PNG'],
  [34934, 'JPEG XR'],
  [50000, 'Zstandard'],
  [50002, 'JPEG XL'],
]);

/** As people call it. */
export function compressionName(compression: number): string {
  return compressionNames.get(compression) ?? `method ${compression}`;
}

/** @throws ImageError for what nobody here gets right */
function chooseWay(page: TiffPage, extra: number): 'first' | 'plain' | 'second' {
  const { compression, photometric } = page;
  if (photometric === undefined) throw unsupported('that does not say what its samples mean');
  if (compression === 6) return 'second';
  if (isDecompressed(compression)) {
    return isRare(page, extra) || !knownCompressions.has(compression) ? 'plain' : 'first';
  }
  if (!knownCompressions.has(compression)) {
    throw unsupported(`compressed with ${compressionName(compression)}`);
  }
  return isRare(page, extra) ? 'second' : 'first';
}

/** What libvips would get wrong, or refuse. */
function isRare(page: TiffPage, extra: number): boolean {
  const { compression, photometric, sampleFormat, isPlanar, isTiled, maxSampleValue } = page;
  const bits = page.bitsPerSample[0] ?? 1;
  const isColour = photometric === 2 || photometric === 5 || photometric === 6;
  const isLab = photometric === 8 || photometric === 9;
  return (
    sampleFormat === 2 ||
    sampleFormat === 3 ||
    ![1, 2, 4, 8, 16].includes(bits) ||
    (isColour && bits < 8) ||
    extra > 1 ||
    (extra > 0 && (photometric === 3 || photometric === 5 || isLab)) ||
    (isPlanar && (isTiled || extra > 0 || isLab || photometric === 6)) ||
    (isLab && (bits === 8 || photometric === 9)) ||
    (photometric === 3 && bits === 16) ||
    (photometric === 6 && isDecompressed(compression)) ||
    (bits === 16 && maxSampleValue !== undefined && maxSampleValue < 2 ** 15)
  );
}

function greyBitsOf({ photometric, bitsPerSample: [bits] }: TiffPage): number | undefined {
  const isGrey = photometric === 0 || photometric === 1;
  return isGrey && (bits === 2 || bits === 4) ? bits : undefined;
}

/** @throws ImageError where strips or tiles are not there: decoders fill them with black. */
function requireWhole({ chunks, chunksExpected, isTiled }: TiffPage, length: number): void {
  const name = isTiled ? 'tiles' : 'strips';
  if (chunks.length < chunksExpected) {
    throw corrupt(`it has ${chunks.length} of ${chunksExpected} ${name}`);
  }
  const missing = chunks.filter(
    // Of a single strip, old files do not say how long it is.
    ({ offset, bytes }) => offset + (Number.isNaN(bytes) ? 1 : bytes) > length || bytes === 0,
  ).length;
  if (missing > 0) throw corrupt(`it lacks ${missing} of its ${chunks.length} ${name}`);
}

/** The largest JPEG in a camera's raw file. @throws ImageError where there is none */
function previewOf(pages: readonly TiffPage[], bytes: Buffer): { offset: number; bytes: number } {
  const previews = pages.flatMap(({ jpeg, compression, chunks, isRaw }) => {
    const [chunk, ...others] = chunks;
    const isJpeg = (compression === 6 || compression === 7) && !isRaw && others.length === 0;
    return [jpeg, isJpeg ? chunk : undefined].filter((each) => each !== undefined);
  });
  const isWhole = ({ offset, bytes: length }: { offset: number; bytes: number }) =>
    offset + length <= bytes.length && isPictureJpeg(bytes.subarray(offset, offset + length));
  const largest = previews.filter(isWhole).toSorted((a, b) => b.bytes - a.bytes)[0];
  if (largest) return largest;
  throw new ImageError('unsupported', 'a raw photograph, without a preview that could be decoded');
}

/** Baseline or progressive: what sensors saw is stored as JPEG, too, but without loss. */
function isPictureJpeg(jpeg: Buffer): boolean {
  for (const { marker } of jpegSegments(jpeg)) {
    if (marker >= 0xc0 && marker <= 0xc2) return true;
    if (marker === 0xc3) return false;
  }
  return false;
}

function unsupported(what: string): ImageError {
  return new ImageError('unsupported', `a variant of TIFF that is not decoded: ${what}`);
}

function corrupt(why: string): ImageError {
  return new ImageError('corrupt', `TIFF that cannot be decoded: ${why}`);
}
