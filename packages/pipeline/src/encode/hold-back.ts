import type { Logger } from '@cutline/shared/process';
import type { FeatureStore } from '../features/feature-store.ts';
import type { World } from '../world.ts';

/** Taking work goes on when features in flight are down to this share of the budget. */
const lowWatermark = 0.75;

/** How often a worker that is held back looks at what decoders have done meanwhile. */
const intervalMs = 500;

/**
 * Keeps a worker from taking jobs while features in flight exceed the budget, and lets it go on
 * once decoders have caught up. Whenever the worker stores a batch it learns how much is in flight,
 * of all workers, so that the budget is exceeded by no more than what they have in hand; it asks
 * only while it is held back, and once at the start.
 */
export class HoldBack {
  readonly #features: FeatureStore;
  readonly #bytesMax: number;
  readonly #world: World;
  readonly #log: Logger;
  /** Bytes in flight when last heard of; unknown at first. */
  #bytes: number | undefined;

  constructor(options: {
    features: FeatureStore;
    bytesMax: number;
    world: World;
    log: Logger;
  }) {
    this.#features = options.features;
    this.#bytesMax = options.bytesMax;
    this.#world = options.world;
    this.#log = options.log;
  }

  /** @param bytes of features in flight, now */
  observe(bytes: number): void {
    this.#bytes = bytes;
  }

  /** Resolves when there is room for another batch. */
  async untilRoom(isStopping: () => boolean = () => false): Promise<void> {
    this.#bytes ??= await this.#features.bytesInFlight();
    if (this.#bytes < this.#bytesMax) return;
    const bytesMax = this.#bytesMax;
    this.#log.info({ bytes: this.#bytes, bytesMax }, 'holding back: decoders have to catch up');
    while (!isStopping() && this.#bytes > bytesMax * lowWatermark) {
      await this.#world.sleep(intervalMs);
      this.#bytes = await this.#features.bytesInFlight();
    }
    this.#log.info({ bytes: this.#bytes }, 'going on');
  }
}
