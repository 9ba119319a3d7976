import type { Logger } from '@cutline/shared/process';
import type { FeatureStore } from '../features/feature-store.ts';
import { fitBudget, mustHoldBack } from '../redis/memory-budget.ts';
import type { World } from '../world.ts';

/** How often a worker that is held back looks at what decoders have done meanwhile. */
const intervalMs = 500;

/** How often at most one that is not asks how full the memory is that holds the features. */
const memoryIntervalMs = 2_000;

/** The same where it has no limit, which somebody may set. */
const limitIntervalMs = 30_000;

/**
 * Keeps a worker from taking jobs while features in flight exceed the budget, or the memory that
 * holds them is nearly full, and lets it go on once decoders have caught up: the queue's own
 * commands have to find room, or decoders could take no jobs, and nothing would ever be freed.
 *
 * Whenever the worker stores a batch it learns how much is in flight, of all workers, so that the
 * budget is exceeded by no more than what they have in hand.
 */
export class HoldBack {
  readonly #features: FeatureStore;
  readonly #bytesMax: number;
  readonly #world: World;
  readonly #log: Logger;
  readonly #onBudget: (bytes: number) => void;
  /** Bytes in flight when last heard of; unknown at first. */
  #bytes: number | undefined;
  #memory = { usedBytes: 0, limitBytes: Number.POSITIVE_INFINITY };
  #memoryReadMs = Number.NEGATIVE_INFINITY;
  #wasLowered = false;

  /** @param options.onBudget is told the budget that fits, at the start and when it changes. */
  constructor(options: {
    features: FeatureStore;
    bytesMax: number;
    world: World;
    log: Logger;
    onBudget?: (bytes: number) => void;
  }) {
    this.#features = options.features;
    this.#bytesMax = options.bytesMax;
    this.#world = options.world;
    this.#log = options.log;
    this.#onBudget = options.onBudget ?? (() => {});
  }

  /** @param bytes of features in flight, now */
  observe(bytes: number): void {
    this.#bytes = bytes;
  }

  /** Resolves when there is room for another batch, or the worker stops. */
  async untilRoom(isStopping: () => boolean = () => false): Promise<void> {
    const isLimited = Number.isFinite(this.#memory.limitBytes);
    const readMs = isLimited ? memoryIntervalMs : limitIntervalMs;
    if (this.#world.now() - this.#memoryReadMs > readMs) await this.#readMemory();
    this.#bytes ??= await this.#features.bytesInFlight();
    if (!this.#mustHoldBack(false)) return;
    const { usedBytes, limitBytes } = this.#memory;
    this.#log.info(
      { bytes: this.#bytes, bytesMax: this.#budgetBytes, usedBytes, limitBytes },
      'holding back: decoders have to catch up',
    );
    while (!isStopping() && this.#mustHoldBack(true)) {
      await this.#world.sleep(intervalMs);
      this.#bytes = await this.#features.bytesInFlight();
      await this.#readMemory();
    }
    this.#log.info({ bytes: this.#bytes }, 'going on');
  }

  get #budgetBytes(): number {
    return fitBudget(this.#bytesMax, this.#memory.limitBytes).budgetBytes;
  }

  #mustHoldBack(holding: boolean): boolean {
    const bytesInFlight = this.#bytes ?? 0;
    const budgetBytes = this.#budgetBytes;
    return mustHoldBack({ bytesInFlight, budgetBytes, ...this.#memory, holding });
  }

  async #readMemory(): Promise<void> {
    this.#memory = await this.#features.memory();
    this.#memoryReadMs = this.#world.now();
    const { budgetBytes, lowered } = fitBudget(this.#bytesMax, this.#memory.limitBytes);
    this.#onBudget(budgetBytes);
    if (lowered && !this.#wasLowered) {
      this.#log.warn(
        { budgetBytes, limitBytes: this.#memory.limitBytes },
        'the budget of features is more than half of maxmemory: it is lowered to that',
      );
    }
    this.#wasLowered = lowered;
  }
}
