import type { World } from '@cutline/pipeline';

/** Time that passes when a test says so; ids and chance count up. */
export class ManualWorld implements World {
  #nowMs = 1_700_000_000_000;
  #ids = 0;
  readonly #sleepers = new Set<{ untilMs: number; wake: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = {
        untilMs: this.#nowMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', interrupt);
          resolve();
        },
      };
      const interrupt = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener('abort', interrupt, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  random(): number {
    return 0.5;
  }

  newId(): string {
    this.#ids += 1;
    return `id-${this.#ids}`;
  }

  get sleepers(): number {
    return this.#sleepers.size;
  }

  /** Wakes who sleeps until then, one after the other, and lets each go on until it waits again. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await everyoneWaits();
    for (;;) {
      const next = this.#next();
      if (!next || next.untilMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.untilMs);
      next.wake();
      await everyoneWaits();
    }
    this.#nowMs = untilMs;
  }

  /** Lets as much time pass as it takes. @throws Error when nobody sleeps, and it still waits */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    for (;;) {
      await everyoneWaits();
      if (settled) return promise;
      const next = this.#next();
      if (!next) throw new Error('It waits for something that time does not bring');
      await this.advance(next.untilMs - this.#nowMs);
    }
  }

  #next() {
    return [...this.#sleepers].sort((a, b) => a.untilMs - b.untilMs)[0];
  }
}

/** All promises that can settle have done so. */
const everyoneWaits = () => new Promise((resolve) => setImmediate(resolve));
