import type { World } from './world.ts';

/** What Redis's keys with a time to live are, in memory and by the world's clock. */
export class ExpiringMap<V> {
  readonly #world: World;
  readonly #entries = new Map<string, { value: V; expiry: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry && entry.expiry <= this.#world.now()) this.#entries.delete(key);
    else return entry?.value;
    return undefined;
  }

  set(key: string, value: V, ttlMs: number): void {
    this.#entries.set(key, { value, expiry: this.#world.now() + ttlMs });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Of all that have not expired. */
  *entries(): Generator<[key: string, value: V]> {
    const now = this.#world.now();
    for (const [key, { value, expiry }] of this.#entries) {
      if (expiry > now) yield [key, value];
      else this.#entries.delete(key);
    }
  }
}
