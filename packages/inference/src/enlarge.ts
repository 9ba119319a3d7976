/**
 * Enlargement, bicubic or bilinear, for images that have fewer pixels on a side than the model wants. libvips
 * enlarges with a shift of half a pixel to the right and down (libvips issue 4841: by its
 * conventions, not by mistake), so that a small photograph and its rotated copy would give
 * different features, and features other than the model was trained on. Shrinking, which nearly
 * all images need, is left to libvips: it is exact there, and fast.
 */
export interface PixelSize {
  width: number;
  height: number;
}

/** What is called bicubic and bilinear elsewhere. */
export type Kernel = 'cubic' | 'linear';

/**
 * Enlarges `pixels` [from.height, from.width, 3] to [to.height, to.width, 3]; an axis that has the
 * wanted size is copied. Pixel centres are aligned, weights beyond the edge are left out and the
 * others normalised, as in PIL. Source of the cubic kernel: R. Keys, Cubic convolution interpolation for digital image
 * processing, IEEE ASSP 29 (1981), equation 15 (a = -1/2).
 */
export function enlarge(
  pixels: Uint8Array,
  from: PixelSize,
  to: PixelSize,
  kernel: Kernel,
): Uint8Array {
  // Floats between the passes; rounding once, at the end.
  const widened = new Float32Array(from.height * to.width * 3);
  const columns = axisTaps(from.width, to.width, kernel);
  for (let y = 0; y < from.height; y++) {
    for (let x = 0; x < to.width; x++) {
      for (const { index, weight } of columns[x] ?? []) {
        for (let channel = 0; channel < 3; channel++) {
          widened[(y * to.width + x) * 3 + channel]! +=
            weight * pixels[(y * from.width + index) * 3 + channel]!;
        }
      }
    }
  }
  const rowLength = to.width * 3;
  const enlarged = new Uint8ClampedArray(to.height * rowLength); // rounds and clamps
  const row = new Float32Array(rowLength);
  for (const [y, taps] of axisTaps(from.height, to.height, kernel).entries()) {
    row.fill(0);
    for (const { index, weight } of taps) {
      for (let i = 0; i < rowLength; i++) row[i]! += weight * widened[index * rowLength + i]!;
    }
    enlarged.set(row, y * rowLength);
  }
  return new Uint8Array(enlarged.buffer);
}

interface Tap {
  index: number;
  weight: number;
}

/** For each of `to` pixels along an axis, the pixels of `from` that it is made of. */
function axisTaps(from: number, to: number, kernel: Kernel): Tap[][] {
  const weigh = kernel === 'cubic' ? cubic : linear;
  return Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const taps = [-1, 0, 1, 2]
      .map((step) => Math.floor(centre) + step)
      .filter((index) => index >= 0 && index < from)
      .map((index) => ({ index, weight: weigh(Math.abs(centre - index)) }));
    const sum = taps.reduce((total, { weight }) => total + weight, 0);
    return taps.map(({ index, weight }) => ({ index, weight: weight / sum }));
  });
}

function linear(d: number): number {
  return Math.max(0, 1 - d);
}

/** Keys's kernel at distance d ≥ 0. */
function cubic(d: number): number {
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  if (d < 2) return ((-0.5 * d + 2.5) * d - 4) * d + 2;
  return 0;
}
