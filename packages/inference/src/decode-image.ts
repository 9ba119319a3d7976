import { ImageError } from '@cutline/shared/errors';
import type { OpenImage } from './choose-decoder.ts';
import { enlarge, type Kernel, type PixelSize } from './enlarge.ts';
import { type DecodeLimits, withOpenImage } from './open-image.ts';

/**
 * Bytes of any image file to the pixels that a model sees: upright, sRGB, 8 bit, no alpha, first
 * page, resized as the model's preprocessing says.
 */

/** How a model wants its images; part of `model.json`. */
export interface PixelSpec extends PixelSize {
  /**
   * `squash`: both axes are scaled to fit, and the aspect ratio is given up; nothing is cut off.
   * `crop`: the shorter side is scaled to `shortestEdge` pixels, the other as much, and the middle
   * of that is cut out.
   */
  fit: 'squash' | 'crop';
  shortestEdge?: number | undefined;
  /** Widened when shrinking: what PIL calls BICUBIC and BILINEAR. */
  kernel: Kernel;
}

export interface DecodedImage {
  /** [height, width, 3] of the spec, sRGB. */
  pixels: Uint8Array;
  /** Of the source as seen upright, in pixels. */
  width: number;
  height: number;
}

/**
 * Decodes one image.
 *
 * - Damaged pixel data that a decoder can conceal is concealed, as browsers do; a file that ends
 *   early is corrupt. Odd metadata and trailing bytes do no harm.
 * - Transparency is laid on white: it stands for the page, and the colour that is stored under
 *   fully transparent pixels is arbitrary, often black.
 *
 * @throws ImageError `empty`, `unsupported`, `corrupt`, `too-large` or `timeout`
 */
export async function decodeImage(
  bytes: Buffer,
  spec: PixelSpec,
  limits: DecodeLimits,
): Promise<DecodedImage> {
  return withOpenImage(bytes, limits, (opened) => decodeOpened(opened, spec));
}

/** The pixels of an image that is open. @throws ImageError, and what sharp throws */
export async function decodeOpened(opened: OpenImage, spec: PixelSpec): Promise<DecodedImage> {
  const decoded = await resizeOpened(opened, spec);
  if (!opened.stretched || !isDim(decoded.pixels)) return decoded;
  return resizeOpened(await opened.stretched(), spec);
}

/**
 * Whether a picture uses only the darkest eighth of the range, or, where 0 is white, the lightest:
 * none of all bits does.
 */
function isDim(pixels: Uint8Array): boolean {
  let [low, high] = [255, 0];
  for (const value of pixels) {
    if (value < low) low = value;
    if (value > high) high = value;
    if (high >= eighth && low <= 255 - eighth) return false;
  }
  return high > 0 && low < 255;
}

/** Of 255. */
const eighth = 32;

async function resizeOpened(
  { image, size: { width, height } }: OpenImage,
  spec: PixelSpec,
): Promise<DecodedImage> {
  const wanted = resizedTo(spec, { width, height });
  const shrunk = {
    width: Math.min(width, wanted.width),
    height: Math.min(height, wanted.height),
  };
  const { data, info } = await image
    // JPEGs may be decoded at 1/2, 1/4 or 1/8, but to no less than twice the wanted size. Without
    // that margin (sharp's default) pixels are off by up to 46 of 255, to save a tenth of the time.
    .resize({ ...shrunk, fit: 'fill', kernel: spec.kernel, fastShrinkOnLoad: false })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) {
    throw new ImageError('unsupported', `${info.channels} colour channels; 1, 3 or 4 are accepted`);
  }
  const decoded = new Uint8Array(data.buffer, data.byteOffset, data.length);
  const isWanted = info.width === wanted.width && info.height === wanted.height;
  const resized = isWanted ? decoded : enlarge(decoded, shrunk, wanted, spec.kernel);
  return { pixels: cutMiddle(resized, wanted, spec), width, height };
}

/** What the image is resized to, before anything is cut off. */
function resizedTo({ fit, shortestEdge, ...size }: PixelSpec, image: PixelSize): PixelSize {
  if (fit === 'squash' || shortestEdge === undefined) return size;
  const shorter = Math.min(image.width, image.height);
  const scale = (side: number) => Math.max(1, Math.floor((shortestEdge * side) / shorter));
  return { width: scale(image.width), height: scale(image.height) };
}

/** `pixels` [from.height, from.width, 3] → [to.height, to.width, 3]; black where there are none. */
function cutMiddle(pixels: Uint8Array, from: PixelSize, to: PixelSize): Uint8Array {
  if (from.width === to.width && from.height === to.height) return pixels;
  const left = Math.floor((from.width - to.width) / 2);
  const top = Math.floor((from.height - to.height) / 2);
  const middle = new Uint8Array(to.height * to.width * 3);
  const [first, end] = [Math.max(0, left), Math.min(from.width, left + to.width)];
  for (let y = Math.max(0, top); y < Math.min(from.height, top + to.height); y++) {
    const row = pixels.subarray((y * from.width + first) * 3, (y * from.width + end) * 3);
    middle.set(row, ((y - top) * to.width + first - left) * 3);
  }
  return middle;
}
