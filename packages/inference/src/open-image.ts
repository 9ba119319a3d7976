import os from 'node:os';
import { ImageError } from '@cutline/shared/errors';
import type { Sharp } from 'sharp';
import type { PixelSize } from './enlarge.ts';
import { isSrgbProfile } from './icc-profile.ts';
import { acceptedFormats, detectImageType } from './image-type.ts';
import { loadSharp } from './load-sharp.ts';

/**
 * Opens bytes of any image file as sharp has them, upright and without alpha, with guards: its
 * type and size are looked at before anything is allocated, and there is a deadline for all that is
 * done with it. The work is done by libvips on libuv's threads; the event loop stays free.
 */

export interface DecodeLimits {
  /** Width times height of the source, told from its header before anything is allocated. */
  pixelsMax: number;
  /** Wall-clock time for one image. */
  timeoutMs: number;
}

/** How many calls of `withOpenImage` keep the machine busy; more would only hold memory. */
export function decodeParallelism(): number {
  const libuvThreads = Number(process.env.UV_THREADPOOL_SIZE) || 4;
  return Math.min(os.availableParallelism(), libuvThreads);
}

/**
 * @param work gets the image, to be resized and put out, and its size as seen upright, in pixels
 * @throws ImageError `empty`, `unsupported`, `corrupt`, `too-large` or `timeout`
 */
export async function withOpenImage<T>(
  bytes: Buffer,
  limits: DecodeLimits,
  work: (image: Sharp, size: PixelSize) => Promise<T>,
): Promise<T> {
  if (bytes.length === 0) throw new ImageError('empty', 'the object has 0 bytes');
  const type = detectImageType(bytes);
  if (!type.accepted) {
    throw new ImageError(
      'unsupported',
      `this seems to be ${type.name}; ${acceptedFormats} are accepted`,
    );
  }
  const sharp = await loadSharp(); // where it cannot be loaded, that is not the image's fault
  const done = async () => {
    const { image, size } = await open(sharp, bytes, limits);
    return work(image, size);
  };
  try {
    return await withDeadline(done(), limits.timeoutMs);
  } catch (error) {
    throw error instanceof ImageError ? error : decodingFailure(error, type.name);
  }
}

async function open(
  sharp: Awaited<ReturnType<typeof loadSharp>>,
  bytes: Buffer,
  limits: DecodeLimits,
): Promise<{ image: Sharp; size: PixelSize }> {
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
  image
    .flatten({ background: '#ffffff' })
    // The deadline is the caller's; this one stops libvips, which would otherwise go on in vain.
    .timeout({ seconds: Math.min(Math.ceil(limits.timeoutMs / 1000), 3600) });
  return { image, size: { width, height } };
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
