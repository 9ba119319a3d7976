/**
 * What an object is, by its first bytes: names and content types lie in every archive, and an error
 * page that was saved as `photo.jpg` must be called what it is.
 */

import { ImageError, NotAnImageError } from '@cutline/shared/errors';
import { promisedFormat } from './image-extensions.ts';
import { jpegSegments } from './jpeg-markers.ts';

/** The formats that are decoded, as messages list them. */
export const acceptedFormats =
  'JPEG, PNG, WebP, AVIF, TIFF, GIF, JPEG 2000, JPEG XL, HEIC, BMP, PNM, PSD and camera raws';

export interface ImageType {
  /** What a person would call it: `JPEG`, `SVG`, `a PDF document`. */
  name: string;
  accepted: boolean;
  /** Whether it is an image, or may be one. */
  isImage: boolean;
  /** Which decoder knows it; see open-image.ts. */
  decoder?: 'first' | 'second';
}

/** Of an object that has at least one byte. */
export function detectImageType(bytes: Buffer): ImageType {
  const signature = signatures.find(({ matches }) => matches(bytes));
  if (signature) {
    const { name, decoder, isImage = true } = signature;
    return { name, accepted: decoder !== undefined, isImage, ...(decoder && { decoder }) };
  }
  const text = nameText(bytes);
  const isImage = text === undefined || text === 'SVG';
  return { name: text ?? 'data of an unknown kind', accepted: false, isImage };
}

/**
 * Whether an object is no image by its content (of which there may be none: systems leave empty
 * files as marks), and is not called one. If its name promises an image, one was lost, which
 * somebody has to know.
 */
export function isPassedOver(error: unknown, key: string): boolean {
  if (promisedFormat(key) !== undefined) return false;
  if (error instanceof NotAnImageError) return true;
  return error instanceof ImageError && error.failureClass === 'empty';
}

interface Signature {
  name: string;
  matches: (bytes: Buffer) => boolean;
  decoder?: 'first' | 'second';
  /** Default: true. */
  isImage?: false;
}

/** Tried from top to bottom; byte strings are written in Latin-1. */
const signatures: readonly Signature[] = [
  { name: 'JPEG-LS', matches: isJpegLs },
  { name: 'JPEG', matches: startsWith('\xff\xd8\xff'), decoder: 'first' },
  { name: 'PNG', matches: startsWith('\x89PNG\r\n\x1a\n'), decoder: 'first' },
  { name: 'GIF', matches: startsWith('GIF87a', 'GIF89a'), decoder: 'first' },
  { name: 'WebP', matches: isRiff('WEBP'), decoder: 'first' },
  // Little and big endian, and the same for BigTIFF.
  { name: 'TIFF', matches: startsWith('II*\0', 'MM\0*', 'II+\0', 'MM\0+'), decoder: 'first' },
  // Raw photographs of Olympus and Panasonic, which are TIFF but for their third byte.
  { name: 'TIFF', matches: startsWith('IIRO', 'IIRS', 'IIU\0'), decoder: 'first' },
  { name: 'an AVIF sequence', matches: hasMajorBrand('avis'), decoder: 'second' },
  { name: 'AVIF', matches: isIsoMedia('avif', 'avis'), decoder: 'first' },
  {
    name: 'HEIC',
    matches: isIsoMedia('heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs', 'mif1'),
    decoder: 'second',
  },
  { name: 'a Canon CR3 raw photograph', matches: isIsoMedia('crx ') },
  { name: 'a video', matches: isIsoMedia(), isImage: false },
  { name: 'a video', matches: startsWith('\x1a\x45\xdf\xa3'), isImage: false },
  { name: 'a video', matches: isRiff('AVI '), isImage: false },
  { name: 'JPEG XL', matches: startsWith('\xff\x0a', '\0\0\0\x0cJXL '), decoder: 'second' },
  {
    name: 'JPEG 2000',
    matches: startsWith('\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'),
    decoder: 'second',
  },
  // Bytes that are reserved and 0, or the size of its second header, tell BMP from text.
  {
    name: 'BMP',
    matches: (bytes) =>
      latin1(bytes, 2) === 'BM' &&
      bytes.length >= 14 &&
      (bytes.readUInt32LE(6) === 0 || latin1(bytes.subarray(15), 3) === '\0\0\0'),
    decoder: 'second',
  },
  { name: 'a Photoshop document', matches: startsWith('8BPS'), decoder: 'second' },
  // Bitmap, grey and colour, each also in text, and then text is what it looks like, too.
  {
    name: 'PNM',
    matches: (bytes) => /^P[1-6](\s|#[^\n]*\n)+\d+(\s|#[^\n]*\n)+\d+\s/.test(latin1(bytes, 512)),
    decoder: 'second',
  },
  { name: 'PNM', matches: (bytes) => /^P7\n(#|WIDTH)/.test(latin1(bytes, 9)), decoder: 'second' },
  { name: 'an icon (ICO)', matches: startsWith('\0\0\x01\0') },
  // Readers accept a PDF whose header stands anywhere in the first 1,024 bytes.
  {
    name: 'a PDF document',
    matches: (bytes) => latin1(bytes, 1024).includes('%PDF-'),
    isImage: false,
  },
  { name: 'PostScript', matches: startsWith('%!PS'), isImage: false },
  { name: 'a ZIP archive', matches: startsWith('PK\x03\x04'), isImage: false },
  { name: 'gzip data', matches: startsWith('\x1f\x8b'), isImage: false },
  // What lies beside photographs: databases of programs that manage them, recordings, programs.
  {
    name: 'a document or a database of Windows', // Thumbs.db, .doc, .msi
    matches: startsWith('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'),
    isImage: false,
  },
  {
    name: 'a database',
    matches: startsWith('SQLite format 3\0', '\0\x01\0\0Standard '),
    isImage: false,
  },
  { name: 'a property list', matches: startsWith('bplist0'), isImage: false },
  {
    name: 'sound',
    matches: startsWith('ID3', 'OggS', 'fLaC', '#!AMR', '\xff\xfb'),
    isImage: false,
  },
  { name: 'sound', matches: isRiff('WAVE'), isImage: false },
  {
    name: 'a video',
    matches: startsWith('\0\0\x01\xba', '\0\0\x01\xb3', 'FLV\x01', 'FWS', 'CWS'),
    isImage: false,
  },
  {
    name: 'a video', // ASF: .wmv
    matches: startsWith('\x30\x26\xb2\x75\x8e\x66\xcf\x11'),
    isImage: false,
  },
  {
    name: 'an archive',
    matches: startsWith('7z\xbc\xaf\x27\x1c', 'Rar!\x1a\x07', 'BZh', '\xfd7zXZ\0'),
    isImage: false,
  },
  {
    name: 'a program',
    matches: startsWith('MZ', '\x7fELF', '\xcf\xfa\xed\xfe', '\xca\xfe\xba\xbe'),
    isImage: false,
  },
];

function latin1(bytes: Buffer, length: number): string {
  return bytes.toString('latin1', 0, length);
}

const jpegLsFrame = 0xf7;

/** The losslessness of scanners and of medicine, in JPEG's segments. */
function isJpegLs(bytes: Buffer): boolean {
  if (!startsWith('\xff\xd8\xff')(bytes)) return false;
  for (const { marker } of jpegSegments(bytes)) if (marker === jpegLsFrame) return true;
  return false;
}

function startsWith(...prefixes: string[]) {
  return (bytes: Buffer) => prefixes.some((prefix) => latin1(bytes, prefix.length) === prefix);
}

function isRiff(form: string) {
  return (bytes: Buffer) => latin1(bytes, 4) === 'RIFF' && latin1(bytes.subarray(8), 4) === form;
}

/**
 * ISO base media files begin with a box of type `ftyp` that lists the brands they comply with; a
 * generic major brand (`mif1`) with the specific one among the compatible ones is common.
 * Without brands: any file of that family.
 */
function isIsoMedia(...brands: string[]) {
  return (bytes: Buffer) => {
    if (bytes.length < 12 || latin1(bytes.subarray(4), 4) !== 'ftyp') return false;
    const box = latin1(bytes, Math.min(bytes.readUInt32BE(0), 256));
    // Bytes 8 to 11 are the major brand, 12 to 15 its version, then the compatible brands.
    const found = box.slice(8).match(/.{4}/gs) ?? [];
    return brands.length === 0 || found.some((brand) => brands.includes(brand));
  };
}

/** Of an ISO base media file: the brand that it is above all. */
function hasMajorBrand(brand: string) {
  return (bytes: Buffer) => latin1(bytes.subarray(4), 8) === `ftyp${brand}`;
}

/** Text and the markup that is written in it; undefined for anything else. */
function nameText(bytes: Buffer): string | undefined {
  const head = bytes.toString('utf8', 0, 1024);
  // A character that the cut splits decodes to U+FFFD at the end, which does not count.
  const text = bytes.length > 1024 ? head.replace(/\ufffd{1,3}$/, '') : head;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters tell data from text.
  if (/[\0-\x08\x0e-\x1f\ufffd]/.test(text)) return undefined;
  if (/<svg[\s>]/i.test(text)) return 'SVG';
  if (/<!doctype html|<html[\s>]/i.test(text)) return 'an HTML page';
  if (/^\ufeff?\s*<\?xml/.test(text)) return 'XML';
  return 'text';
}
