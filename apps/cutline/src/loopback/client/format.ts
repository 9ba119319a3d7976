/** How figures are written, on pages and in galleries. */

/** Two decimals and a true minus sign. */
export function formatScore(score: number): string {
  return score.toFixed(2).replace('-', '−');
}

export function formatCount(n: number): string {
  return n.toLocaleString('en-GB');
}
