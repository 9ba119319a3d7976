import os from 'node:os';
import { ImageError } from '@cutline/shared/errors';
import type Sharp from 'sharp';
import { enlarge, type Kernel, type PixelSize } from './enlarge.ts';
import { isSrgbProfile } from './icc-profile.ts';
import { acceptedFormats, detectImageType } from './image-type.ts';
import { loadSharp } from './load-sharp.ts';

/**
 * Bytes of any image file to the pixels that a model sees: upright, sRGB, 8 bit, no alpha, first
 * page, resized as the model's preprocessing says. The work is done by libvips on libuv's threads;
 * the event loop stays free.
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

export interface DecodeLimits {
  /** Width times height of the source, told from its header before anything is allocated. */
  pixelsMax: number;
  /** Wall-clock time for one image. */
  timeoutMs: number;
}

export interface DecodedImage {
  /** [height, width, 3] of the spec, sRGB. */
  pixels: Uint8Array;
  /** Of the source as seen upright, in pixels. */
  width: number;
  height: number;
}

/** How many calls of `decodeImage` keep the machine busy; more would only hold memory. */
export function decodeParallelism(): number {
  const libuvThreads = Number(process.env.UV_THREADPOOL_SIZE) || 4;
  return Math.min(os.availableParallelism(), libuvThreads);
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
  if (bytes.length === 0) throw new ImageError('empty', 'the object has 0 bytes');
  const type = detectImageType(bytes);
  if (!type.accepted) {
    throw new ImageError(
      'unsupported',
      `this seems to be ${type.name}; ${acceptedFormats} are accepted`,
    );
  }
  const sharp = await loadSharp(); // where it cannot be loaded, that is not the image's fault
  try {
    return await withDeadline(decodeAccepted(sharp, bytes, spec, limits), limits.timeoutMs);
  } catch (error) {
    throw error instanceof ImageError ? error : decodingFailure(error, type.name);
  }
}

async function decodeAccepted(
  sharp: typeof Sharp,
  bytes: Buffer,
  spec: PixelSpec,
  limits: DecodeLimits,
): Promise<DecodedImage> {
  const header = await sharp(bytes, { limitInputPixels: false }).metadata();
  const { width, height } = header.autoOrient;
  if (width * height > limits.pixelsMax) {
    throw new ImageError(
      'too-large',
      `${width}×${height} is ${width * height} pixels; at most ${limits.pixelsMax} are accepted`,
    );
  }

  const image = sharp(bytes, {
    autoOrient: true,
    failOn: 'error', // 'warning' would refuse PNGs for a harmless slip in their colour profile
    ignoreIcc: header.icc !== undefined && isSrgbProfile(header.icc),
    limitInputPixels: limits.pixelsMax,
  });
  // sharp (0.35) converts 16-bit RGB with a profile to Display P3, and leaves it so although sRGB
  // is asked for. Reduced to 8 bit first, it takes the same way as other images.
  if (header.space === 'rgb16' && header.icc) image.pipelineColourspace('srgb');

  const wanted = resizedTo(spec, { width, height });
  const shrunk = { width: Math.min(width, wanted.width), height: Math.min(height, wanted.height) };
  const { data, info } = await image
    .flatten({ background: '#ffffff' })
    // JPEGs may be decoded at 1/2, 1/4 or 1/8, but to no less than twice the wanted size. Without
    // that margin (sharp's default) pixels are off by up to 46 of 255, to save a tenth of the time.
    .resize({ ...shrunk, fit: 'fill', kernel: spec.kernel, fastShrinkOnLoad: false })
    .toColourspace('srgb')
    // The deadline is the caller's; this one stops libvips, which would otherwise go on in vain.
    .timeout({ seconds: Math.min(Math.ceil(limits.timeoutMs / 1000), 3600) })
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

async function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ImageError('timeout', `decoding took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** What libvips reports, as one line without its own repetitions. */
function decodingFailure(cause: unknown, format: string): ImageError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^Input buffer has corrupt header: |^Vips\w+: /g, '').trim())
    .filter((line) => line !== '' && !line.startsWith('source: bad seek'));
  const reason = [...new Set(lines)].join(' ').slice(0, 300);
  // The format is known and the file may be sound, but it uses a variant (a compression scheme, a
  // bit depth) that this build of libvips does not have.
  const isVariant = /unsupported jpeg|not configured|not implemented|omitted at compile/i.test(
    text,
  );
  return isVariant
    ? new ImageError('unsupported', `a variant of ${format} that is not decoded: ${reason}`, {
        cause,
      })
    : new ImageError('corrupt', `${format} that cannot be decoded: ${reason}`, { cause });
}
