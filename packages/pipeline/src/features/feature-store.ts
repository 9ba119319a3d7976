import type { Redis } from 'ioredis';

/**
 * Features in flight: written by encoders, read and removed by decoders, kept in Redis under a
 * TTL. Beside the values stand their sizes, their times of expiry and the sum of the sizes, so
 * that encoders can hold back when too much is in flight. Values and books change together in one
 * script, so the sum stays exact whatever is repeated; what expired is swept out of it.
 */

const prefix = 'cutline:features:';
const books = { sizes: `${prefix}sizes`, expiry: `${prefix}expiry`, bytes: `${prefix}bytes` };
const bookKeys = [books.sizes, books.expiry, books.bytes] as const;

/** Lua: forgets one key in the books. KEYS: sizes, expiry, bytes. */
const forget = `
  local function forget(key)
    local size = redis.call('HGET', KEYS[1], key)
    if size then
      redis.call('HDEL', KEYS[1], key)
      redis.call('ZREM', KEYS[2], key)
      redis.call('DECRBY', KEYS[3], size)
    end
  end
`;

/** ARGV: key, value, ttl in ms, time of expiry in ms. */
const putScript = `${forget}
  forget(ARGV[1])
  redis.call('SET', ARGV[1], ARGV[2], 'PX', ARGV[3])
  redis.call('HSET', KEYS[1], ARGV[1], #ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  return redis.call('INCRBY', KEYS[3], #ARGV[2])
`;

/** ARGV: key. */
const removeScript = `${forget}
  forget(ARGV[1])
  return redis.call('UNLINK', ARGV[1])
`;

/** A script blocks Redis while it runs: this many keys take it a millisecond or so. */
const sweepKeysMax = 1_000;

/** ARGV: now in ms, keys at most. Returns the keys that were swept, and the bytes in flight. */
const sweepScript = `${forget}
  local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
  for _, key in ipairs(expired) do forget(key) end
  return { #expired, tonumber(redis.call('GET', KEYS[3]) or '0') }
`;

export class FeatureStore {
  readonly #redis: Redis;
  readonly #ttlMs: number;
  readonly #now: () => number;

  /**
   * @param ttlMs how long features wait for a decoder before Redis drops them; a batch whose
   *   features are gone is encoded again, so this bounds memory and loses nothing.
   */
  constructor(redis: Redis, options: { ttlMs: number; now?: () => number }) {
    this.#redis = redis;
    this.#ttlMs = options.ttlMs;
    this.#now = options.now ?? Date.now;
  }

  /** Stores a blob under a name, replacing what was there. Returns the bytes now in flight. */
  async put(name: string, blob: Buffer): Promise<number> {
    const expiry = this.#now() + this.#ttlMs;
    return Number(await this.#eval(putScript, prefix + name, blob, this.#ttlMs, expiry));
  }

  /** The blob, or undefined when it expired, was removed, or never was. */
  async get(name: string): Promise<Buffer | undefined> {
    return (await this.#redis.getBuffer(prefix + name)) ?? undefined;
  }

  /** Removing what is not there is not an error. */
  async remove(name: string): Promise<void> {
    await this.#eval(removeScript, prefix + name);
  }

  /** Bytes in flight, after expired values are taken off the books. */
  async bytesInFlight(): Promise<number> {
    for (;;) {
      const reply = await this.#eval(sweepScript, this.#now(), sweepKeysMax);
      const [swept, bytes] = (reply as unknown[]).map(Number) as [number, number];
      if (swept < sweepKeysMax) return bytes;
    }
  }

  #eval(script: string, ...args: (string | number | Buffer)[]): Promise<unknown> {
    return this.#redis.eval(script, bookKeys.length, ...bookKeys, ...args);
  }
}
