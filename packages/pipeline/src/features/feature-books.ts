import type { Redis } from 'ioredis';
import { realWorld, type World } from '../world.ts';
import { redisHome } from './feature-store.ts';

/**
 * The books of a home of features, on Redis: the sizes of all that is in flight, when each
 * expires, and the sum of the sizes. Each operation is one script, so the sum stays exact whatever
 * is repeated. Of features that are in Redis themselves, values and books change together.
 *
 * Scripts name all keys that they touch, and these share a hash tag: on a Redis Cluster a home's
 * books, and features, are on one node, which keeps one sum of them.
 */
export class FeatureBooks {
  readonly #redis: Redis;
  readonly #world: World;
  readonly #prefix: string;
  /** Hash name → bytes; sorted set of names by their time of expiry in ms; the sum of the bytes. */
  readonly #keys: readonly [sizes: string, expiry: string, bytes: string];

  constructor(redis: Redis, { home, world = realWorld }: { home: string; world?: World }) {
    this.#redis = redis;
    this.#world = world;
    this.#prefix = `cutline:{features${home === redisHome ? '' : ` ${home}`}}:`;
    this.#keys = [`${this.#prefix}sizes`, `${this.#prefix}expiry`, `${this.#prefix}bytes`];
  }

  /** The key of a value that is in Redis itself. */
  valueKey(name: string): string {
    return `${this.#prefix}blob:${name}`;
  }

  /**
   * Enters a name, anew if it is there already.
   * @param value is stored in Redis besides, under `valueKey`.
   * @returns the sum; what has expired may be in it.
   */
  async enter(
    name: string,
    { bytes, ttlMs, value }: { bytes: number; ttlMs: number; value?: Buffer },
  ): Promise<number> {
    const keys = [...this.#keys, ...(value ? [this.valueKey(name)] : [])];
    const expiry = this.#world.now() + ttlMs;
    const args = [name, bytes, expiry, ...(value ? [value, ttlMs] : [])];
    return Number(await this.#redis.eval(enterScript, keys.length, ...keys, ...args));
  }

  /** Strikes out names, and removes the values that are in Redis. */
  async strike(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const keys = [...this.#keys, ...names.map((name) => this.valueKey(name))];
    await this.#redis.eval(strikeScript, keys.length, ...keys, ...names);
  }

  /** Names whose time is over, the oldest first; as many as are to be handled at a time. */
  async expired(): Promise<string[]> {
    const now = this.#world.now();
    return this.#redis.zrangebyscore(this.#keys[1], '-inf', now, 'LIMIT', 0, namesMax);
  }

  /** The names that begin so. */
  async names(start: string): Promise<string[]> {
    const names = await this.#redis.zrange(this.#keys[1], '0', '-1');
    return names.filter((name) => name.startsWith(start));
  }

  /** Strikes out what has expired. @returns the sum of the rest. */
  async sweep(): Promise<number> {
    const args = [this.#world.now(), namesMax];
    for (;;) {
      const reply = await this.#redis.eval(sweepScript, this.#keys.length, ...this.#keys, ...args);
      const [swept, bytes] = (reply as unknown[]).map(Number) as [number, number];
      if (swept < namesMax) return bytes;
    }
  }

  /** What is in flight and has not expired, for those who look and change nothing. */
  async bytesInFlight(): Promise<number> {
    const args = [this.#world.now()];
    return Number(await this.#redis.eval(lookScript, this.#keys.length, ...this.#keys, ...args));
  }
}

/** A script blocks Redis while it runs: this many names take it a millisecond or so. */
const namesMax = 1_000;

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

/** KEYS: books, perhaps a value. ARGV: name, bytes, time of expiry in ms; value, ttl in ms. */
const enterScript = `${forget}
  forget(ARGV[1])
  if KEYS[4] then redis.call('SET', KEYS[4], ARGV[4], 'PX', ARGV[5]) end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
  return redis.call('INCRBY', KEYS[3], ARGV[2])
`;

/** KEYS: books, values. ARGV: names. */
const strikeScript = `${forget}
  for i, name in ipairs(ARGV) do
    forget(name)
    redis.call('UNLINK', KEYS[3 + i])
  end
`;

/** KEYS: books. ARGV: now in ms, names at most. Returns how many it swept, and the bytes. */
const sweepScript = `${forget}
  local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
  for _, name in ipairs(expired) do forget(name) end
  return { #expired, tonumber(redis.call('GET', KEYS[3]) or '0') }
`;

/** KEYS: books. ARGV: now in ms. */
const lookScript = `
  local bytes = tonumber(redis.call('GET', KEYS[3]) or '0')
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])) do
    bytes = bytes - tonumber(redis.call('HGET', KEYS[1], name) or '0')
  end
  return bytes
`;
