/**
 * Thumbnails for the gallery: upright, sRGB, WebP, small enough that a page of a thousand of them
 * still opens at once.
 */
import { loadSharp, type OpenImage, withOpenImage } from '@cutline/inference';

export interface Thumbnail {
  /** A WebP file. */
  readonly bytes: Buffer;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

export interface ThumbnailOptions {
  /** In pixels. */
  readonly longestSidePx?: number;
  /** Somebody waits for it: less time goes into making it small. */
  readonly isBrisk?: boolean;
}

const galleryPx = 360;
const webpQuality = 74;

/** Of an image that was captioned: these are for what nobody would wait for. */
const limits = { pixelsMax: 1e9, timeoutMs: 60_000 };

/**
 * The image as it was seen, whoever decodes it; of one that is damaged by now, the best that can be
 * made: this is a preview.
 *
 * @param image the bytes of an image file
 * @throws Error (sharp's) where nothing of the image can be decoded
 */
export async function makeThumbnail(
  image: Uint8Array,
  options: ThumbnailOptions = {},
): Promise<Thumbnail> {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const sharp = await loadSharp();
  return withOpenImage(bytes, limits, (opened) => toThumbnail(opened.image, options)).catch(() =>
    toThumbnail(sharp(bytes, { failOn: 'none', autoOrient: true }), options),
  );
}

async function toThumbnail(
  image: OpenImage['image'],
  { longestSidePx = galleryPx, isBrisk = false }: ThumbnailOptions,
): Promise<Thumbnail> {
  const { data, info } = await image
    .resize(longestSidePx, longestSidePx, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .webp({ quality: webpQuality, effort: isBrisk ? 1 : 4 })
    .toBuffer({ resolveWithObject: true });
  return { bytes: data, width: info.width, height: info.height };
}
