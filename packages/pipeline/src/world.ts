import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Time and chance, as the pipeline meets them. Handed in, so that the simulator can let hours pass
 * in milliseconds and replay a run from its seed.
 */
export interface World {
  /** Milliseconds since 1970. */
  now(): number;
  /** @throws the signal's reason, when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** [0, 1) */
  random(): number;
  /** A name that nobody else has. */
  newId(): string;
}

export const realWorld: World = {
  now: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, signal && { signal }),
  random: Math.random,
  newId: randomUUID,
};
