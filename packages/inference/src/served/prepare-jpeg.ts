import { type DecodeLimits, withOpenImage } from '../open-image.ts';

/**
 * An image file as models behind servers get it: upright, sRGB, on white, no larger than `sideMax`
 * pixels on its longer side and never enlarged, as JPEG.
 *
 * @returns the JPEG, and the source's size as seen upright, in pixels
 * @throws ImageError `empty`, `unsupported`, `corrupt`, `too-large` or `timeout`
 */
export async function prepareJpeg(
  bytes: Buffer,
  { sideMax, jpegQuality }: { sideMax: number; jpegQuality: number },
  limits: DecodeLimits,
): Promise<{ jpeg: Uint8Array; width: number; height: number }> {
  return withOpenImage(bytes, limits, async ({ image, size }) => {
    const side = { width: sideMax, height: sideMax };
    const jpeg = await image
      .resize({ ...side, fit: 'inside', withoutEnlargement: true, fastShrinkOnLoad: false })
      .toColourspace('srgb')
      .jpeg({ quality: jpegQuality })
      .toBuffer();
    return { jpeg, ...size };
  });
}
