/**
 * What an image is called by, in names of files: which formats extensions promise, in the words of
 * `detectImageType`. A promise it is, and no more: files are judged by their content.
 */

const promises: Record<string, string> = {
  JPEG: 'jpg jpeg jpe jfif',
  'JPEG-LS': 'jls',
  PNG: 'png',
  GIF: 'gif',
  TIFF: 'tif tiff',
  WebP: 'webp',
  AVIF: 'avif',
  HEIC: 'heic heif hif',
  'JPEG 2000': 'jp2 j2k j2c jpc jpx jpf',
  'JPEG XL': 'jxl',
  BMP: 'bmp dib',
  PNM: 'pam pbm pgm pnm ppm',
  'a Photoshop document': 'psd psb',
  'a camera raw': 'dng nef cr2 cr3 arw pef orf rw2',
};

const formats = new Map(
  Object.entries(promises).flatMap(([format, extensions]) =>
    extensions.split(' ').map((extension): [string, string] => [extension, format]),
  ),
);

/** @returns undefined where the name does not promise an image */
export function promisedFormat(key: string): string | undefined {
  return formats.get(extensionOf(key));
}

/** In small letters, without the dot; empty where the name has none. */
export function extensionOf(key: string): string {
  const name = key.slice(key.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase();
}
