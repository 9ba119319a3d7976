import { setImmediate } from 'node:timers/promises';
import type { World } from '@cutline/pipeline';

/** A world in which time passes when it is told to, and only then. */
export class ManualWorld implements World {
  #now = Date.UTC(2026, 10, 22);
  #ids = 0;
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { until: this.#now + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      const wakeEarly = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      if (signal?.aborted) wakeEarly();
      else signal?.addEventListener('abort', wakeEarly, { once: true });
    });
  }

  random(): number {
    return 0.5;
  }

  newId(): string {
    this.#ids += 1;
    return `id-${this.#ids}`;
  }

  /** Wakes whoever sleeps till then, in order, and lets each do what it woke up for. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await setImmediate();
      const [next] = [...this.#sleepers].toSorted((a, b) => a.until - b.until);
      if (!next || next.until > end) break;
      this.#now = Math.max(this.#now, next.until);
      this.#sleepers.delete(next);
      next.wake();
    }
    this.#now = end;
    await setImmediate();
  }
}
