import { ImageError, type SkipReason } from '@cutline/shared/errors';
import type { OpenImage } from './choose-decoder.ts';
import { type DecodedImage, decodeOpened, type PixelSpec } from './decode-image.ts';
import { profileName } from './icc-profile.ts';
import { detectImageType, isPassedOver } from './image-type.ts';
import { loadSharp } from './load-sharp.ts';
import { type DecodeLimits, withOpenImage } from './open-image.ts';
import { compressionName } from './tiff/judge-tiff.ts';
import { readDirectories, type TiffPage } from './tiff/read-directories.ts';

interface Failure {
  class: string;
  message: string;
}

/** What is made of one image file, for a person who wonders. */
export interface ImageLook {
  /** What a person would call its format. */
  format: string;
  /** What the file says of itself, by name; what it does not say is left out. */
  facts: Record<string, string>;
  /** Which decoder it went to, and which page of it, where one was found. */
  taken?: Pick<OpenImage, 'decoder' | 'page'>;
  outcome: { seen: DecodedImage } | { skipped: SkipReason } | { failure: Failure };
}

/**
 * Looks at an image as the encode stage does. It never throws ImageError: that is an outcome.
 * @param key by which what is no image is told from an image that was lost
 */
export async function lookAtImage(
  { key, bytes }: { key: string; bytes: Buffer },
  spec: PixelSpec,
  limits: DecodeLimits,
): Promise<ImageLook> {
  const format = bytes.length === 0 ? 'nothing' : detectImageType(bytes).name;
  let facts = { ...(await sharpFacts(bytes)), ...tiffFacts(bytes) };
  let taken: ImageLook['taken'];
  try {
    const seen = await withOpenImage(bytes, limits, (opened) => {
      const { decoder, page } = opened;
      taken = { decoder, page };
      facts = { ...opened.facts, ...facts };
      return decodeOpened(opened, spec);
    });
    return { format, facts, ...(taken && { taken }), outcome: { seen } };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    const failure = { class: error.failureClass, message: error.message };
    const outcome = isPassedOver(error, key) ? { skipped: 'not-an-image' as const } : { failure };
    return { format, facts, ...(taken && { taken }), outcome };
  }
}

async function sharpFacts(bytes: Buffer): Promise<Record<string, string>> {
  if (bytes.length === 0) return {};
  const sharp = await loadSharp();
  const header = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  if (!header) return {};
  const { width, height, space, channels, depth, orientation, pages, icc } = header;
  return {
    size: `${width}×${height}`,
    samples: `${channels}, ${spaceNames.get(space ?? '') ?? space}, ${depthNames.get(depth ?? '') ?? depth}`,
    ...(icc && { profile: profileName(icc) ?? `${icc.length} bytes` }),
    ...(orientation !== undefined && orientation !== 1 && { orientation: String(orientation) }),
    ...(pages !== undefined && pages > 1 && { pages: String(pages) }),
  };
}

/** As people call what libvips calls otherwise. */
const spaceNames = new Map([
  ['srgb', 'sRGB'],
  ['rgb', 'RGB'],
  ['rgb16', 'RGB'],
  ['scrgb', 'RGB'],
  ['b-w', 'grey'],
  ['grey16', 'grey'],
  ['cmyk', 'CMYK'],
  ['lab', 'L*a*b*'],
  ['labs', 'L*a*b*'],
]);

const depthNames = new Map([
  ['uchar', '8 bits'],
  ['char', '8 bits with a sign'],
  ['ushort', '16 bits'],
  ['short', '16 bits with a sign'],
  ['uint', '32 bits'],
  ['int', '32 bits with a sign'],
  ['float', 'floating point'],
  ['double', 'floating point'],
]);

const photometricNames = new Map([
  [0, 'grey, 0 is white'],
  [1, 'grey'],
  [2, 'RGB'],
  [3, 'palette'],
  [5, 'CMYK'],
  [6, 'YCbCr'],
  [8, 'L*a*b*'],
  [9, 'ICC L*a*b*'],
  [32803, 'colour filter array'],
  [34892, 'linear raw'],
]);

const sampleNames = ['', 'unsigned', 'signed', 'floating point'];

function tiffFacts(bytes: Buffer): Record<string, string> {
  const pages = readDirectories(bytes);
  if (!pages) return {};
  const describe = (page: TiffPage) => {
    const { width, height, photometric, bitsPerSample, sampleFormat, samplesPerPixel } = page;
    const colour = photometricNames.get(photometric ?? -1) ?? `photometric ${photometric}`;
    const samples = `${samplesPerPixel} × ${bitsPerSample[0]} bits ${sampleNames[sampleFormat] ?? ''}`;
    const chunk = page.isTiled ? 'tile' : 'strip';
    const layout = `${page.chunks.length} ${page.chunks.length === 1 ? chunk : `${chunk}s`}`;
    const planes = page.isPlanar ? ', in planes' : '';
    const reduced = page.isReduced ? ', a smaller version' : '';
    return `${width}×${height}, ${colour}, ${samples.trim()}, ${compressionName(page.compression)}, ${layout}${planes}${reduced}`;
  };
  const shown = pages
    .slice(0, pagesShown)
    .map((page, n): [string, string] => [
      pages.length > 1 ? `page ${n + 1}` : 'layout',
      describe(page),
    ]);
  return Object.fromEntries(shown);
}

const pagesShown = 8;
