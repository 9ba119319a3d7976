import { ImageError } from '@cutline/shared/errors';

/**
 * What ImageMagick would see wrong, or refuse though it is sound, of formats that go to it as they
 * are: told by their headers, before anything is decoded.
 *
 * @param name of the format, as messages say it
 * @returns bytes that it gets right
 * @throws ImageError `unsupported`, with the variant's name
 */
export function settleSecond(bytes: Buffer, name: string): Buffer {
  if (name === 'BMP') return withRightSize(bytes);
  if (name === 'a Photoshop document') requireMergedPicture(bytes);
  if (name === 'JPEG 2000') requireKnownComponents(bytes);
  return bytes;
}

/** Many programs write 0 for the size of the file, or that of something else, and nobody looks. */
function withRightSize(bmp: Buffer): Buffer {
  if (bmp.length < 6 || bmp.readUInt32LE(2) === bmp.length) return bmp;
  const copy = Buffer.from(bmp);
  copy.writeUInt32LE(bmp.length, 2);
  return copy;
}

const multichannel = 7;
const versionInfo = 1057;

/** Adobe's Photoshop File Formats Specification. */
function requireMergedPicture(psd: Buffer): void {
  if (psd.length < 34) return;
  if (psd.readUInt16BE(24) === multichannel) {
    throw unsupported('a Photoshop document', 'of many channels, which have no colours in common');
  }
  const resourcesAt = 30 + psd.readUInt32BE(26);
  if (resourcesAt + 4 > psd.length) return;
  const end = Math.min(resourcesAt + 4 + psd.readUInt32BE(resourcesAt), psd.length);
  for (let at = resourcesAt + 4; at + 12 <= end; ) {
    const id = psd.readUInt16BE(at + 4);
    const nameBytes = (psd[at + 6] ?? 0) + 1;
    const dataAt = at + 6 + nameBytes + (nameBytes % 2);
    if (dataAt + 4 > end) return;
    const dataBytes = psd.readUInt32BE(dataAt);
    if (id === versionInfo && psd[dataAt + 8] === 0) {
      // What stands in its place says so, in eleven languages.
      throw unsupported('a Photoshop document', 'saved without its merged picture');
    }
    at = dataAt + 4 + dataBytes + (dataBytes % 2);
  }
}

const cmyk = 12;

/** ISO/IEC 15444-1: the boxes of a JP2 file (annex I), and SIZ in its codestream (A.5.1). */
function requireKnownComponents(bytes: Buffer): void {
  const colour = bytes.indexOf('colr', 0, 'latin1');
  const codestream = bytes.indexOf(Buffer.from([0xff, 0x4f, 0xff, 0x51]));
  if (codestream < 0 || codestream + 42 > bytes.length) return;
  const hasColour = colour > 0 && colour < codestream && colour + 11 <= bytes.length;
  if (hasColour && bytes[colour + 4] === 1 && bytes.readUInt32BE(colour + 7) === cmyk) {
    throw unsupported('JPEG 2000', 'in CMYK');
  }
  const count = bytes.readUInt16BE(codestream + 40);
  const steps = Array.from({ length: count }, (_, n) => {
    const at = codestream + 42 + n * 3;
    return `${bytes[at + 1]}×${bytes[at + 2]}`;
  });
  const isEven = steps.every((step) => step === '1×1');
  // Where colours are coarser than light, they are YCbCr, which only JP2's header says.
  if (!isEven && (steps[0] !== '1×1' || !hasColour)) {
    throw unsupported('JPEG 2000', `whose components are sampled ${steps.join(', ')}`);
  }
}

function unsupported(format: string, variant: string): ImageError {
  return new ImageError('unsupported', `a variant of ${format} that is not decoded: ${variant}`);
}
