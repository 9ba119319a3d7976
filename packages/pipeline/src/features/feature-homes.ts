import { type Closers, isRedisUrl, type Logger } from '@cutline/shared/process';
import { parseLocation, type StorePool } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { makeFolder } from '../make-folder.ts';
import { connectRedis, logOutages } from '../redis/redis.ts';
import { realWorld } from '../world.ts';
import { FeatureBooks } from './feature-books.ts';
import { type FeatureStore, redisHome } from './feature-store.ts';
import { RedisFeatures } from './redis-features.ts';
import { StoredFeatures } from './stored-features.ts';

/**
 * Opens homes of features, by what the setting `features` says: `redis` (the one that has the
 * queues), the URL of another, or a location.
 */

/** A process's own home, where it puts features, and those that decode jobs name. */
export interface FeatureHomes {
  own: FeatureStore;
  /** Encoders that were started with another setting have another home. */
  open(home: string): Promise<FeatureStore>;
}

export interface HomeOptions {
  /** The setting. */
  features: string;
  redis: Redis;
  /** Gets what is opened, to close it. */
  closers: Closers;
  log?: Logger;
}

/** @throws UserError where another Redis cannot be reached; a store is not asked yet. */
export async function openFeatureHomes(
  options: HomeOptions & { stores: StorePool; ttlMs: number },
): Promise<FeatureHomes> {
  const { features, redis, stores, ttlMs } = options;
  const world = realWorld;
  const featuresRedis = await connectHome(options);
  const open = async (home: string): Promise<FeatureStore> => {
    if (home === redisHome) return new RedisFeatures(featuresRedis, { ttlMs, world });
    const { store: url, prefix } = parseLocation(home);
    return new StoredFeatures({ store: await stores.open(url), prefix, redis, ttlMs, world });
  };
  return { own: await open(homeOf(features)), open };
}

/** For those who look and change nothing: they need no access to a store. */
export async function openFeatureBooks(options: HomeOptions): Promise<FeatureBooks> {
  return new FeatureBooks(await connectHome(options), { home: homeOf(options.features) });
}

/** Makes sure that a store that is to hold features is there. @throws StoreError */
export async function requireHome(features: string, stores: StorePool): Promise<void> {
  const home = homeOf(features);
  if (home === redisHome) return;
  const { store: url } = parseLocation(home);
  await makeFolder(url);
  await (await stores.open(url)).check();
}

function homeOf(features: string): string {
  return isRedisUrl(features) ? redisHome : features;
}

/** The Redis that has the features, or their books. */
async function connectHome({ features, redis, closers, log }: HomeOptions): Promise<Redis> {
  if (!isRedisUrl(features)) return redis;
  const setting = '--features (or CUTLINE_FEATURES, FEATURES_REDIS_URL)';
  const other = await connectRedis(features, { setting });
  closers.add('Redis for features', () => other.disconnect());
  if (log) logOutages(other, log);
  return other;
}
