import { isBlank } from '../blank.ts';
import { loadSharp } from '../load-sharp.ts';
import { type DecodeLimits, withOpenImage } from '../open-image.ts';

/** In pixels: enough to see whether there is anything. */
const lookSide = 64;

/**
 * An image file as models behind servers get it: upright, sRGB, on white, no larger than `sideMax`
 * pixels on its longer side and never enlarged, as JPEG.
 *
 * @returns the JPEG, the source's size as seen upright, in pixels, and whether it shows nothing
 * @throws ImageError `empty`, `unsupported`, `corrupt`, `too-large` or `timeout`
 */
export async function prepareJpeg(
  bytes: Buffer,
  { sideMax, jpegQuality }: { sideMax: number; jpegQuality: number },
  limits: DecodeLimits,
): Promise<{ jpeg: Uint8Array; width: number; height: number; isBlank: boolean }> {
  return withOpenImage(bytes, limits, async ({ image, size }) => {
    const side = { width: sideMax, height: sideMax };
    const jpeg = await image
      .resize({ ...side, fit: 'inside', withoutEnlargement: true, fastShrinkOnLoad: false })
      .toColourspace('srgb')
      .jpeg({ quality: jpegQuality })
      .toBuffer();
    const small = await (await loadSharp())(jpeg)
      .resize(lookSide, lookSide, { fit: 'fill' })
      .toColourspace('srgb')
      .raw()
      .toBuffer();
    return { jpeg, ...size, isBlank: isBlank(small) };
  });
}
