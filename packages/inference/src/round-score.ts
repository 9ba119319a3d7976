/**
 * Scores, log-probabilities and weights of attention as rows have them: to 4 decimals. Engines add
 * in an order that may depend on how many images they compute at once, which shows in the last
 * bits; a row must be the same whatever batch its image came in.
 */
export function roundScore(value: number): number {
  return Math.round(value * 1e4) / 1e4 + 0; // never -0, which JSON would not keep
}
