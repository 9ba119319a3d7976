import os from 'node:os';
import { ImageError, NotAnImageError } from '@cutline/shared/errors';
import { chooseDecoder, type DecodeLimits, type FailOn, type OpenImage } from './choose-decoder.ts';
import { DecodingDeadline } from './decoding-deadline.ts';
import { acceptedFormats, detectImageType, type ImageType } from './image-type.ts';
import { loadSharp } from './load-sharp.ts';

/**
 * Opens bytes of any image file as sharp has them, upright and without alpha, with guards: its
 * type and size are looked at before anything is allocated, and there is a deadline for all that is
 * done with it. The work is done by libvips on libuv's threads; the event loop stays free.
 */

export type { DecodeLimits } from './choose-decoder.ts';

/** How many calls of `withOpenImage` keep the machine busy; more would only hold memory. */
export function decodeParallelism(): number {
  const libuvThreads = Number(process.env.UV_THREADPOOL_SIZE) || 4;
  return Math.min(os.availableParallelism(), libuvThreads);
}

/**
 * @param work gets the image, to be resized and put out; it may be called a second time
 * @throws ImageError `empty`, `unsupported`, `corrupt`, `too-large` or `timeout`
 */
export async function withOpenImage<T>(
  bytes: Buffer,
  limits: DecodeLimits,
  work: (opened: OpenImage) => Promise<T>,
): Promise<T> {
  if (bytes.length === 0) throw new ImageError('empty', 'the object has 0 bytes');
  const type = detectImageType(bytes);
  if (!type.accepted) {
    const message = `this seems to be ${type.name}; ${acceptedFormats} are accepted`;
    throw type.isImage ? new ImageError('unsupported', message) : new NotAnImageError(message);
  }
  const sharp = await loadSharp(); // where it cannot be loaded, that is not the image's fault
  const deadline = new DecodingDeadline(limits.timeoutMs);
  const decode = async (failOn: FailOn) => {
    const file = { sharp, bytes, name: type.name, limits, failOn, deadline };
    return work(await chooseDecoder(file, type.decoder));
  };
  try {
    return await deadline.hold(decodeStrictly(decode, type));
  } catch (error) {
    throw error instanceof ImageError ? error : decodingFailure(error, type.name);
  }
}

/**
 * Of damaged tiles libvips only warns, and leaves them black; of odd metadata it warns as well. So
 * TIFF is decoded again where the warning was none of damage. In other formats, what is concealed
 * is small; and PNGs come with warnings about harmless slips in their colour profile.
 */
async function decodeStrictly<T>(
  decode: (failOn: FailOn) => Promise<T>,
  { name }: ImageType,
): Promise<T> {
  if (name !== 'TIFF') return decode('error');
  try {
    return await decode('warning');
  } catch (error) {
    if (error instanceof ImageError || tellsOfDamage.test(String(error))) throw error;
    return decode('error');
  }
}

/** Not of faxes, whose lines have been concealing one another's faults for ever. */
const tellsOfDamage =
  /^(?!.*\bFax)[\s\S]*(code not yet in table|read error|buffer overrun|not enough data|decompress|decoding error|premature|corrupt|not configured|uncompress)/i;

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
  const isVariant =
    /unsupported jpeg|DNL not supported|not configured|not implemented|omitted at compile/i.test(
      text,
    );
  return isVariant
    ? new ImageError('unsupported', `a variant of ${format} that is not decoded: ${reason}`, {
        cause,
      })
    : new ImageError('corrupt', `${format} that cannot be decoded: ${reason}`, { cause });
}
