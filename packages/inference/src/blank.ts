/** Images that show nothing: a lens cap, the back of a print, a scan that went wrong. */

/** What a row says of one, among its warnings. */
export const blankWarning = 'blank';

/** Of 255: what dust and noise make of nothing. */
const rangeMin = 3;

/** @param pixels [n, 3], 8 bit @returns whether all are alike, in every channel */
export function isBlank(pixels: Uint8Array): boolean {
  for (let channel = 0; channel < 3; channel++) {
    let [low, high] = [255, 0];
    for (let i = channel; i < pixels.length; i += 3) {
      const value = pixels[i] as number;
      if (value < low) low = value;
      if (value > high) high = value;
      if (high - low >= rangeMin) return false;
    }
  }
  return true;
}
