/** Read at once. */
export const readAhead = 16;

/**
 * Begins reads before their turn, and gives what they read in their order.
 * @param ahead as many at first; with each that is wanted twice as many, up to `readAhead`
 */
export async function* inTurn<T>(
  reads: Iterable<() => Promise<T>> | AsyncIterable<() => Promise<T>>,
  ahead: number,
): AsyncGenerator<T> {
  const begun: Promise<T>[] = [];
  for await (const read of reads) {
    const next = read();
    next.catch(() => {}); // it is awaited, and heard, in its turn
    begun.push(next);
    if (begun.length < ahead) continue;
    yield (await begun.shift()) as T;
    ahead = Math.min(2 * ahead, readAhead);
  }
  for (const each of begun) yield await each;
}
