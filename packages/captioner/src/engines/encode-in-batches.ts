/**
 * An encoder's memory grows with the images that it computes at once, and on a CPU its speed does
 * not: large batches are cut.
 */
import { elementCount } from '../weights.ts';
import { checkLength } from './plain-arrays.ts';

export type Pixels = Uint8Array | Float32Array;

export interface EncodeSizes {
  /** `[H,W,3]` */
  imageShape: readonly number[];
  /** `[L,D]` */
  featuresShape: readonly number[];
  /** Images computed at a time. */
  batchMax: number;
}

/**
 * `pixels [count,H,W,3]` → features `[count,L,D]`, by `encodeBatch` of `batchMax` images at most.
 *
 * @throws RangeError when `pixels` is not as long as `count` says.
 */
export async function encodeInBatches(
  pixels: Pixels,
  count: number,
  { imageShape, featuresShape, batchMax }: EncodeSizes,
  encodeBatch: (pixels: Pixels, count: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  checkLength('pixels', pixels, [count, ...imageShape]);
  const imageLength = elementCount(imageShape);
  const featuresLength = elementCount(featuresShape);
  const encoded = new Float32Array(count * featuresLength);
  for (let begin = 0; begin < count; begin += batchMax) {
    const end = Math.min(begin + batchMax, count);
    const batch = pixels.subarray(begin * imageLength, end * imageLength);
    encoded.set(await encodeBatch(batch, end - begin), begin * featuresLength);
  }
  return encoded;
}
