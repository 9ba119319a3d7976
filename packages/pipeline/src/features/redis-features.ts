import type { Redis } from 'ioredis';
import { redisMemory } from '../redis/redis-info.ts';
import { realWorld, type World } from '../world.ts';
import { FeatureBooks } from './feature-books.ts';
import { type FeatureMemory, type FeatureStore, redisHome } from './feature-store.ts';

/**
 * Features on Redis, which drops them by itself when their time is over. Values and books change
 * together in one script.
 */
export class RedisFeatures implements FeatureStore {
  readonly home = redisHome;
  readonly #redis: Redis;
  readonly #ttlMs: number;
  readonly #books: FeatureBooks;

  /** @param ttlMs how long features wait for a decoder before Redis drops them */
  constructor(redis: Redis, { ttlMs, world = realWorld }: { ttlMs: number; world?: World }) {
    this.#redis = redis;
    this.#ttlMs = ttlMs;
    this.#books = new FeatureBooks(redis, { home: redisHome, world });
  }

  put(name: string, blob: Buffer): Promise<number> {
    const ttlMs = this.#ttlMs;
    return this.#books.enter(name, { bytes: blob.byteLength, ttlMs, value: blob });
  }

  async get(name: string): Promise<Buffer | undefined> {
    return (await this.#redis.getBuffer(this.#books.valueKey(name))) ?? undefined;
  }

  remove(name: string): Promise<void> {
    return this.#books.strike([name]);
  }

  async removeAll(start: string, { except }: { except?: string | undefined } = {}): Promise<void> {
    const names = await this.#books.names(start);
    await this.#books.strike(names.filter((name) => name !== except));
  }

  bytesInFlight(): Promise<number> {
    return this.#books.sweep();
  }

  memory(): Promise<FeatureMemory> {
    return redisMemory(this.#redis);
  }
}
