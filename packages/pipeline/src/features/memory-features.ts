import { ExpiringMap } from '../expiring-map.ts';
import type { World } from '../world.ts';
import type { FeatureMemory, FeatureStore } from './feature-store.ts';

/**
 * Features in memory, for tests and for the simulator: processes that share one share what it
 * holds. It is full when it is told so, and then refuses what a Redis refuses.
 */
export class MemoryFeatures implements FeatureStore {
  readonly home = 'memory';
  /** Of everything, as `maxmemory` of Redis. */
  limitBytes = Number.POSITIVE_INFINITY;
  /** What else is there besides features: queues, for example. */
  otherBytes = 0;
  readonly #ttlMs: number;
  readonly #blobs: ExpiringMap<Buffer>;

  /** @param ttlMs how long features wait for a decoder */
  constructor({ ttlMs, world }: { ttlMs: number; world: World }) {
    this.#ttlMs = ttlMs;
    this.#blobs = new ExpiringMap(world);
  }

  /** Loses everything, as a Redis does that dies. */
  flush(): void {
    this.#blobs.clear();
  }

  async put(name: string, blob: Buffer): Promise<number> {
    if (this.#usedBytes() > this.limitBytes) throw outOfMemory();
    this.#blobs.set(name, Buffer.from(blob), this.#ttlMs);
    return this.#bytes();
  }

  async get(name: string): Promise<Buffer | undefined> {
    const blob = this.#blobs.get(name);
    return blob && Buffer.from(blob);
  }

  async remove(name: string): Promise<void> {
    this.#blobs.delete(name);
  }

  async removeAll(start: string, { except }: { except?: string | undefined } = {}): Promise<void> {
    for (const [name] of this.#blobs.entries()) {
      if (name.startsWith(start) && name !== except) this.#blobs.delete(name);
    }
  }

  async bytesInFlight(): Promise<number> {
    return this.#bytes();
  }

  async memory(): Promise<FeatureMemory> {
    return { usedBytes: this.#usedBytes(), limitBytes: this.limitBytes };
  }

  #usedBytes(): number {
    return this.#bytes() + this.otherBytes;
  }

  #bytes(): number {
    let bytes = 0;
    for (const [, blob] of this.#blobs.entries()) bytes += blob.byteLength;
    return bytes;
  }
}

/** As ioredis tells of it: transient, since it ends. */
function outOfMemory(): Error {
  const error = new Error("OOM command not allowed when used memory > 'maxmemory'.");
  error.name = 'ReplyError';
  return error;
}
