import type { StorePool } from '@cutline/shared/stores';
import type { FeatureStore } from '../features/feature-store.ts';
import type { RedisConnection } from '../redis/redis-options.ts';
import type { World } from '../world.ts';

/** When a worker answers that it is not well (/healthz), and that it is ready (/readyz). */

/** A batch that takes longer than this without an end means that the process hangs. */
const batchMsMax = 15 * 60_000;

/** @returns why it should be restarted; undefined where it is well. */
export function unhealthy(
  { oldestInHand }: { oldestInHand: number | undefined },
  { now }: Pick<World, 'now'>,
): string | undefined {
  if (oldestInHand === undefined) return undefined;
  const ms = now() - oldestInHand;
  return ms > batchMsMax ? `a batch has been in hand for ${Math.round(ms / 1000)} s` : undefined;
}

/** What a worker stands on, each by its name: it is ready to take jobs when all of them answer. */
export function readiness(of: {
  redis: RedisConnection;
  features: Pick<FeatureStore, 'bytesInFlight'>;
  stores: StorePool;
}): Record<string, () => Promise<unknown>> {
  return {
    Redis: () => of.redis.ping(),
    features: () => of.features.bytesInFlight(),
    stores: () => of.stores.check(),
  };
}
