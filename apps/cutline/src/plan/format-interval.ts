import type { Interval } from '@cutline/pipeline';

/** `4 min (3 min to 5 min)`; of what is sure, or looks so, one figure. */
export function formatInterval(
  { expected, low, high }: Interval,
  format: (value: number) => string,
): string {
  const [text, from, to] = [expected, low, high].map(format);
  return from === to ? `${text}` : `${text} (${from} to ${to})`;
}
