import type { Redis } from 'ioredis';
import { realWorld, type World } from '../world.ts';
import type { FeatureMemory, FeatureStore } from './feature-store.ts';

/**
 * Features on Redis. Beside the values stand their sizes, their times of expiry and the sum of the
 * sizes. Values and books change together in one script, so the sum stays exact whatever is
 * repeated; what expired is swept out of it.
 *
 * Scripts name all keys that they touch, and these share a hash tag: on a Redis Cluster all
 * features are on one node, which keeps one sum of them.
 */
export class RedisFeatures implements FeatureStore {
  readonly #redis: Redis;
  readonly #ttlMs: number;
  readonly #world: World;

  /** @param ttlMs how long features wait for a decoder before Redis drops them */
  constructor(redis: Redis, { ttlMs, world = realWorld }: { ttlMs: number; world?: World }) {
    this.#redis = redis;
    this.#ttlMs = ttlMs;
    this.#world = world;
  }

  async put(name: string, blob: Buffer): Promise<number> {
    const expiry = this.#world.now() + this.#ttlMs;
    const keys = [...bookKeys, featureKey(name)];
    const args = [name, blob, this.#ttlMs, expiry];
    return Number(await this.#redis.eval(putScript, keys.length, ...keys, ...args));
  }

  async get(name: string): Promise<Buffer | undefined> {
    return (await this.#redis.getBuffer(featureKey(name))) ?? undefined;
  }

  async remove(name: string): Promise<void> {
    const keys = [...bookKeys, featureKey(name)];
    await this.#redis.eval(removeScript, keys.length, ...keys, name);
  }

  async bytesInFlight(): Promise<number> {
    const args = [this.#world.now(), sweepNamesMax];
    for (;;) {
      const reply = await this.#redis.eval(sweepScript, bookKeys.length, ...bookKeys, ...args);
      const [swept, bytes] = (reply as unknown[]).map(Number) as [number, number];
      if (swept < sweepNamesMax) return bytes;
    }
  }

  async memory(): Promise<FeatureMemory> {
    const info = await this.#redis.info('memory');
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
    return {
      usedBytes: field('used_memory'),
      limitBytes: field('maxmemory') || Number.POSITIVE_INFINITY,
    };
  }
}

const prefix = 'cutline:{features}:';

/** Hash name → bytes; sorted set of names by their time of expiry in ms; the sum of the bytes. */
const bookKeys = [`${prefix}sizes`, `${prefix}expiry`, `${prefix}bytes`];

/** Where the blob is that was put under a name. */
const featureKey = (name: string) => `${prefix}blob:${name}`;

/** Lua: strikes a name out of the books. KEYS: sizes, expiry, bytes. */
const forget = `
  local function forget(name)
    local size = redis.call('HGET', KEYS[1], name)
    if size then
      redis.call('HDEL', KEYS[1], name)
      redis.call('ZREM', KEYS[2], name)
      redis.call('DECRBY', KEYS[3], size)
    end
  end
`;

/** KEYS: books, value. ARGV: name, value, ttl in ms, time of expiry in ms. */
const putScript = `${forget}
  forget(ARGV[1])
  redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])
  redis.call('HSET', KEYS[1], ARGV[1], #ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  return redis.call('INCRBY', KEYS[3], #ARGV[2])
`;

/** KEYS: books, value. ARGV: name. */
const removeScript = `${forget}
  forget(ARGV[1])
  return redis.call('UNLINK', KEYS[4])
`;

/** A script blocks Redis while it runs: this many names take it a millisecond or so. */
const sweepNamesMax = 1_000;

/** KEYS: books. ARGV: now in ms, names at most. Returns how many it swept, and the bytes. */
const sweepScript = `${forget}
  local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
  for _, name in ipairs(expired) do forget(name) end
  return { #expired, tonumber(redis.call('GET', KEYS[3]) or '0') }
`;
