/** Whole numbers as people write them in flags and variables: digits, nothing else. */

export interface WholeNumberRange {
  min: number;
  /** Default: as large as numbers are exact. */
  max?: number;
}

/** undefined where the text is no whole number, or out of range. */
export function parseWholeNumber(
  text: string,
  { min, max = Number.MAX_SAFE_INTEGER }: WholeNumberRange,
): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/** `a whole number from 1 to 64` */
export function describeWholeNumber({ min, max }: WholeNumberRange): string {
  return `a whole number ${max === undefined ? `of at least ${min}` : `from ${min} to ${max}`}`;
}
