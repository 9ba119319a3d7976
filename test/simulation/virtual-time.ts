/**
 * Time that passes only when nothing is left to do: a list of what is to happen when, and a loop
 * that does the next of it. Promises between two events are settled to the end before it goes on.
 */
export class VirtualTime {
  #now: number;
  #order = 0;
  readonly #events = new Map<number, { atMs: number; resolve: () => void }>();

  constructor(startMs: number) {
    this.#now = startMs;
  }

  readonly now = (): number => this.#now;

  /** @throws the signal's reason, at once, when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const order = this.#order++;
      const abort = () => {
        this.#events.delete(order);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#events.set(order, {
        atMs: this.#now + Math.max(0, ms),
        resolve: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      });
    });
  }

  /** Lets time pass until `isOver`, or until nothing is left to happen, or until the deadline. */
  async pass(isOver: () => boolean, deadlineMs: number): Promise<void> {
    for (;;) {
      await settled();
      if (isOver()) return;
      let next: [number, { atMs: number; resolve: () => void }] | undefined;
      for (const event of this.#events) if (!next || event[1].atMs < next[1].atMs) next = event;
      if (!next || next[1].atMs > deadlineMs) return;
      this.#events.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].atMs);
      next[1].resolve();
    }
  }
}

/** When all promises that can be are settled: `setImmediate` comes after all microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
