/**
 * Attention as the page carries it. A caption's weights, T words × L locations, as JSON numbers
 * would weigh more than its thumbnail; the eye needs no more than 256 steps a word. So each word
 * is scaled to its own maximum (attention says where, and a word that looks everywhere stays
 * even), quantised to a byte a location, and the bytes are written as base64.
 */

/** How the L locations lie over the image: row by row, from the upper left. */
export interface AttentionGrid {
  readonly rows: number;
  readonly columns: number;
}

/**
 * @param attention [T][L], not negative
 * @returns base64 of T·L bytes, word by word
 */
export function encodeAttention(attention: readonly (readonly number[])[]): string {
  const words = attention.map((weights) => {
    const max = Math.max(...weights);
    return weights.map((weight) => (max > 0 ? Math.round((255 * weight) / max) : 0));
  });
  return Buffer.from(words.flat()).toString('base64');
}

/** @throws Error where L is not the square of a whole number: say how the locations lie. */
export function squareGrid(locations: number): AttentionGrid {
  const side = Math.round(Math.sqrt(locations));
  if (side * side !== locations) {
    throw new Error(
      `expected attention over a square grid, found ${locations} locations: name its rows and columns`,
    );
  }
  return { rows: side, columns: side };
}
