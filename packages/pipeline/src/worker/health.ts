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

/** What has to answer before jobs are taken, by name; each check throws what stands in the way. */
export function requirements({
  redis,
  features,
  stores,
}: {
  redis: RedisConnection;
  features: Pick<FeatureStore, 'bytesInFlight'>;
  stores: StorePool;
}): Record<string, () => Promise<unknown>> {
  return {
    Redis: () => redis.ping(),
    features: () => features.bytesInFlight(),
    stores: () => stores.check(),
  };
}
