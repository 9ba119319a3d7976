/**
 * Learned positions of a grid of patches → those of another grid, so that a vision transformer takes
 * images of another size than it was trained on (Dosovitskiy et al. 2020, section 3.2): bicubic
 * (Keys 1981, with a = -0.75), without smoothing where the grid becomes smaller, edges repeated. As
 * torch's `interpolate` with `align_corners=False`, by which transformers does it.
 */

/** Rows and columns of patches. */
export type Grid = readonly [rows: number, columns: number];

/**
 * @param positions `[1+n·n,D]`: the class token's own stays as it is
 * @returns `[1+rows·columns,D]`
 */
export function resizePositions(
  positions: Float32Array,
  channels: number,
  [rows, columns]: Grid,
): Float32Array {
  const side = Math.round(Math.sqrt(positions.length / channels - 1));
  const resized = new Float32Array((1 + rows * columns) * channels);
  resized.set(positions.subarray(0, channels));
  const down = taps(side, rows);
  const across = taps(side, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const to = (1 + row * columns + column) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (const [y, ofRow] of down[row] ?? []) {
          for (const [x, ofColumn] of across[column] ?? []) {
            const from = (1 + y * side + x) * channels + channel;
            sum += ofRow * ofColumn * (positions[from] as number);
          }
        }
        resized[to + channel] = sum;
      }
    }
  }
  return resized;
}

type Tap = readonly [index: number, weight: number];

/** For each of `wanted` places, which four of `given` make it, and how much of each. */
function taps(given: number, wanted: number): Tap[][] {
  return Array.from({ length: wanted }, (_, place) => {
    const at = ((place + 0.5) * given) / wanted - 0.5; // centres of patches, not their corners
    const first = Math.floor(at);
    return [-1, 0, 1, 2].map((offset): Tap => {
      const index = Math.min(Math.max(first + offset, 0), given - 1);
      return [index, cubic(Math.abs(at - (first + offset)))];
    });
  });
}

const a = -0.75;

function cubic(distance: number): number {
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return ((distance - 5) * distance + 8) * distance * a - 4 * a;
}
