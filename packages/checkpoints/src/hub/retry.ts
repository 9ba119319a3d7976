/** Trying again what passes by itself, after pauses that double, each between half and the whole. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@cutline/shared/backoff';
import type { Hub } from './hub.ts';
import { givenUp, PassingError } from './hub-errors.ts';

/** Counts failures in a row. */
export class Tries {
  readonly #hub: Hub;
  #failures = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** There was progress: the next failure is the first one again. */
  reset(): void {
    this.#failures = 0;
  }

  /**
   * Waits until it is time for another try.
   *
   * @throws the error when it would not pass; UserError when there were enough tries; the signal's
   *   reason.
   */
  async next(error: unknown): Promise<void> {
    const { patience, signal } = this.#hub;
    signal.throwIfAborted();
    if (!(error instanceof PassingError)) throw error;
    this.#failures += 1;
    if (this.#failures >= patience.triesMax) throw givenUp(this.#hub, error);
    const { pauseMsMin: baseMs, pauseMsMax: maxMs } = patience;
    const pauseMs = backoffMs(this.#failures, { baseMs, maxMs, random: Math.random });
    const askedMs = Math.min(error.retryAfterMs ?? 0, patience.retryAfterMsMax);
    try {
      await sleep(Math.max(pauseMs, askedMs), undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
  }
}

export async function retry<Result>(hub: Hub, work: () => Promise<Result>): Promise<Result> {
  const tries = new Tries(hub);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await tries.next(error);
    }
  }
}
