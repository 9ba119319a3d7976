/**
 * Thumbnails for the gallery: upright, sRGB, WebP, small enough that a page of a thousand of them
 * still opens at once.
 */
import { loadSharp } from '@cutline/inference';

export interface Thumbnail {
  /** A WebP file. */
  readonly bytes: Buffer;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

const longestSidePx = 360;
const webpQuality = 74;

/**
 * Makes the best of a damaged image: this is a preview, and the image was captioned.
 *
 * @param image the bytes of an image file, or its path
 * @throws Error (sharp's) where nothing of the image can be decoded
 */
export async function makeThumbnail(image: Uint8Array | string): Promise<Thumbnail> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(image, { failOn: 'none', autoOrient: true })
    .resize(longestSidePx, longestSidePx, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .webp({ quality: webpQuality })
    .toBuffer({ resolveWithObject: true });
  return { bytes: data, width: info.width, height: info.height };
}
