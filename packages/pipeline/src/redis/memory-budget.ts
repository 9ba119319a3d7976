/**
 * How many bytes of features may be in flight, given how much memory Redis has, and when encoders
 * hold back. Pure: whoever asks reads `redisMemory` and the books of features.
 */

/** Of Redis's memory, features may take this share; jobs have the rest. */
const featuresShareMax = 0.5;

/** Shares: encoders hold back from the first on, until it is no more than the second. */
const memoryWatermarks = { high: 0.8, low: 0.7 };
const budgetWatermarks = { high: 1, low: 0.75 };

/**
 * The budget of features, fitted to the Redis that holds them.
 * @param featureBytesMax what was asked for.
 * @param limitBytes maxmemory; Infinity where there is none.
 */
export function fitBudget(
  featureBytesMax: number,
  limitBytes: number,
): { budgetBytes: number; lowered: boolean } {
  const budgetBytes = Math.min(featureBytesMax, Math.floor(limitBytes * featuresShareMax));
  return { budgetBytes, lowered: budgetBytes < featureBytesMax };
}

export interface Pressure {
  /** Of features, of all workers. */
  bytesInFlight: number;
  budgetBytes: number;
  /** Of Redis, whatever for. */
  usedBytes: number;
  /** maxmemory; Infinity where there is none. */
  limitBytes: number;
  /** Whether the encoder holds back at present: once it does, the lower marks count. */
  holding: boolean;
}

/**
 * Whether an encoder should take no more work for now. With no features in flight it always goes
 * on: then what fills Redis is something that no waiting would ever take away.
 */
export function mustHoldBack(pressure: Pressure): boolean {
  const { bytesInFlight, budgetBytes, usedBytes, limitBytes, holding } = pressure;
  if (bytesInFlight <= 0) return false;
  const over = (bytes: number, bound: number, marks: { high: number; low: number }) =>
    holding ? bytes > bound * marks.low : bytes >= bound * marks.high;
  return (
    over(bytesInFlight, budgetBytes, budgetWatermarks) ||
    over(usedBytes, limitBytes, memoryWatermarks)
  );
}
