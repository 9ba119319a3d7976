import type { FeatureStore, Logger } from '@cutline/shared';
import type { Worker } from 'bullmq';

/** Taking work goes on when features in flight are down to this share of the budget. */
const lowWatermark = 0.75;

const intervalMs = 500;

/**
 * Stops a worker from taking jobs while features in flight exceed the budget, and lets it go on
 * once decoders have caught up. What is in hand is finished, so the budget can be exceeded by the
 * batches in hand.
 *
 * @returns a function that ends the watch.
 */
export function holdBack(
  worker: Worker,
  options: { features: FeatureStore; bytesMax: number; log: Logger },
): () => void {
  const { features, bytesMax, log } = options;
  const timer = setInterval(async () => {
    const bytes = await features.bytesInFlight().catch(() => undefined);
    if (bytes === undefined) return; // An outage of Redis: no jobs come anyway.
    if (!worker.isPaused() && bytes >= bytesMax) {
      log.info({ bytes, bytesMax }, 'holding back: decoders have to catch up');
      await worker.pause(true);
    } else if (worker.isPaused() && bytes <= bytesMax * lowWatermark) {
      log.info({ bytes }, 'going on');
      worker.resume();
    }
  }, intervalMs);
  return () => clearInterval(timer);
}
