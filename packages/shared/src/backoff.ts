/** Pauses between tries. */

export interface Backoff {
  /** Before the second try, in milliseconds; it doubles with each further one … */
  baseMs: number;
  /** … up to this. */
  maxMs?: number;
  /** [0, 1) */
  random: () => number;
}

/** An outage that lasts is looked at every minute or so. */
const maxMsDefault = 60_000;

/**
 * How long to wait before another try at what an outage made fail, in milliseconds: between a half
 * and the whole of the nominal pause, so that those who failed together do not return together
 * ("equal jitter").
 *
 * @param failures so far, at least 1
 */
export function backoffMs(
  failures: number,
  { baseMs, maxMs = maxMsDefault, random }: Backoff,
): number {
  const doublings = Math.min(failures - 1, 30);
  return Math.min(maxMs, baseMs * 2 ** doublings) * (0.5 + random() / 2);
}
