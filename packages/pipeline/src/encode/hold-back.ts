import type { Logger } from '@cutline/shared/process';
import type { Worker } from 'bullmq';
import type { FeatureStore } from '../features/feature-store.ts';

/** Taking work goes on when features in flight are down to this share of the budget. */
const lowWatermark = 0.75;

/** How often a worker that is held back looks at what decoders have done meanwhile. */
const intervalMs = 500;

/**
 * Keeps a worker from taking jobs while features in flight exceed the budget, and lets it go on
 * once decoders have caught up. Whenever the worker stores a batch it learns how much is in flight,
 * of all workers, so that the budget is exceeded by no more than what they have in hand; it asks
 * only while it is held back.
 */
export class HoldBack {
  readonly #features: FeatureStore;
  readonly #bytesMax: number;
  readonly #log: Logger;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Bytes in flight when last heard of. */
  #bytes = 0;

  constructor(options: { features: FeatureStore; bytesMax: number; log: Logger }) {
    this.#features = options.features;
    this.#bytesMax = options.bytesMax;
    this.#log = options.log;
  }

  /** Asks once before there is a worker: there may be no room for its first job. */
  async look(): Promise<void> {
    this.observe(await this.#features.bytesInFlight());
  }

  /** Begins to hold the worker back, which has not been started yet. */
  attach(worker: Worker): void {
    this.#worker = worker;
    this.observe(this.#bytes);
    this.#timer = setInterval(() => {
      if (worker.isPaused()) this.look().catch(() => {}); // An outage of Redis: no jobs come anyway.
    }, intervalMs);
  }

  /** @param bytes of features in flight, now */
  observe(bytes: number): void {
    this.#bytes = bytes;
    const worker = this.#worker;
    if (!worker) return;
    if (!worker.isPaused() && bytes >= this.#bytesMax) {
      this.#log.info(
        { bytes, bytesMax: this.#bytesMax },
        'holding back: decoders have to catch up',
      );
      void worker.pause(true);
    } else if (worker.isPaused() && bytes <= this.#bytesMax * lowWatermark) {
      this.#log.info({ bytes }, 'going on');
      void worker.resume();
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#worker = undefined;
  }
}
