import { type FeatureStore, MemoryFeatures, RedisFeatures } from '@cutline/pipeline';
import { isTransient } from '@cutline/shared/errors';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RedisSetting, startRedisSetting } from './support/contract-setting.ts';
import { ManualWorld } from './support/manual-world.ts';

/** What every store of features does: values and books change together, whatever is repeated. */

interface FeatureSetting {
  /** As another process opens it, on the same features. */
  open(): Promise<FeatureStore>;
  /** Leaves no memory for anything more, or all of it again. */
  setFull(isFull: boolean): Promise<void>;
}

const ttlMs = 600_000;

const bytes = (n: number, value = 7) => Buffer.alloc(n, value);

function contract(start: (world: ManualWorld) => Promise<FeatureSetting>): void {
  let world: ManualWorld;
  let setting: FeatureSetting;
  let store: FeatureStore;

  beforeEach(async () => {
    world = new ManualWorld();
    setting = await start(world);
    store = await setting.open();
  });

  test('gives back the very bytes, zeros and all', async () => {
    const blob = Buffer.from([0, 255, 10, 13, 0, 128]);
    await store.put('run.000000.0:1', blob);
    expect(await store.get('run.000000.0:1')).toEqual(blob);
  });

  test('knows nothing of what was never put', async () => {
    expect(await store.get('run.000000.0')).toBeUndefined();
    expect(await store.bytesInFlight()).toBe(0);
  });

  test('gives what another process put', async () => {
    await store.put('a', bytes(100));
    const other = await setting.open();
    expect(await other.get('a')).toEqual(bytes(100));
    expect(await other.bytesInFlight()).toBe(100);
    await other.remove('a');
    expect(await store.get('a')).toBeUndefined();
  });

  test('sums up the bytes in flight', async () => {
    expect(await store.put('a', bytes(100))).toBe(100);
    expect(await store.put('b', bytes(30))).toBe(130);
    expect(await store.bytesInFlight()).toBe(130);
  });

  test('counts a blob once however often it is put, and at its new size', async () => {
    for (let i = 0; i < 5; i++) expect(await store.put('a', bytes(100))).toBe(100);
    expect(await store.put('a', bytes(40, 1))).toBe(40);
    expect(await store.get('a')).toEqual(bytes(40, 1));
  });

  test('takes a blob off the books once however often it is removed', async () => {
    await store.put('a', bytes(100));
    await store.put('b', bytes(30));
    for (let i = 0; i < 5; i++) await store.remove('a');
    expect(await store.get('a')).toBeUndefined();
    expect(await store.bytesInFlight()).toBe(30);
    await store.remove('never-put');
    expect(await store.bytesInFlight()).toBe(30);
  });

  test('stays exact while many put and remove at once', async () => {
    const stores = [store, await setting.open()];
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const each = stores[i % 2] as FeatureStore;
        await each.put(`batch-${i % 20}`, bytes(10 + (i % 20)));
        if (i % 3 === 0) await each.remove(`batch-${i % 20}`);
      }),
    );
    const left = await Promise.all(Array.from({ length: 20 }, (_, i) => store.get(`batch-${i}`)));
    const sum = left.reduce((total, blob) => total + (blob?.byteLength ?? 0), 0);
    expect(await store.bytesInFlight()).toBe(sum);
    for (let i = 0; i < 20; i++) await store.remove(`batch-${i}`);
    expect(await store.bytesInFlight()).toBe(0);
  });

  test('takes what expired off the books, and nothing else', async () => {
    await store.put('old', bytes(100));
    await world.pass(ttlMs / 2);
    await store.put('new', bytes(30));
    await world.pass(ttlMs / 2 - 1);
    expect(await store.bytesInFlight()).toBe(130);
    await world.pass(1);
    expect(await store.bytesInFlight()).toBe(30);
    expect(await store.get('new')).toEqual(bytes(30));
    await world.pass(ttlMs);
    expect(await store.bytesInFlight()).toBe(0);
  });

  test('gives a blob that is put again its whole time', async () => {
    await store.put('a', bytes(100));
    await world.pass(ttlMs - 1);
    await store.put('a', bytes(100));
    await world.pass(ttlMs - 1);
    expect(await store.bytesInFlight()).toBe(100);
  });

  test('takes off the books whatever has expired, be it much', async () => {
    await Promise.all(Array.from({ length: 1_500 }, (_, i) => store.put(`batch-${i}`, bytes(2))));
    await world.pass(ttlMs);
    expect(await store.bytesInFlight()).toBe(0);
  });

  test('tells how full the place is', async () => {
    const before = await store.memory();
    expect(before.limitBytes).toBe(Number.POSITIVE_INFINITY);
    await store.put('a', bytes(1_000_000));
    const after = await store.memory();
    expect(after.usedBytes - before.usedBytes).toBeGreaterThan(900_000);
    await setting.setFull(true);
    const { usedBytes, limitBytes } = await store.memory();
    expect(limitBytes).toBeLessThan(usedBytes);
    await setting.setFull(false);
  });

  test('refuses what is too much for a while, and still removes what there is', async () => {
    await store.put('a', bytes(100));
    await store.put('b', bytes(30));
    await setting.setFull(true);
    const refusal = await store.put('c', bytes(1)).catch((error) => error);
    expect(isTransient(refusal)).toBe(true);
    expect(await store.get('a')).toEqual(bytes(100));
    await store.remove('a');
    expect(await store.bytesInFlight()).toBe(30);
    await setting.setFull(false);
    expect(await store.put('c', bytes(1))).toBe(31);
  });
}

describe('MemoryFeatures', () => {
  contract(async (world) => {
    const features = new MemoryFeatures({ ttlMs, world });
    return {
      open: async () => features, // processes that share one share what it holds
      setFull: async (isFull) => {
        features.limitBytes = isFull ? 0 : Number.POSITIVE_INFINITY;
      },
    };
  });

  test('drops a value when its time is over', async () => {
    const world = new ManualWorld();
    const features = new MemoryFeatures({ ttlMs, world });
    await features.put('a', bytes(100));
    await world.pass(ttlMs - 1);
    expect(await features.get('a')).toEqual(bytes(100));
    await world.pass(1);
    expect(await features.get('a')).toBeUndefined();
  });
});

describe('RedisFeatures', () => {
  let redis: RedisSetting;

  beforeAll(async () => {
    redis = await startRedisSetting();
  });
  afterAll(() => redis?.stop());
  beforeEach(() => redis.redis.flushall());

  contract(async (world) => ({
    open: async () => new RedisFeatures(await redis.connect(), { ttlMs, world }),
    setFull: async (isFull) => {
      await redis.redis.config('SET', 'maxmemory', isFull ? '1' : '0');
    },
  }));

  test('has Redis drop a value when its time is over', async () => {
    const brief = new RedisFeatures(redis.redis, { ttlMs: 40 });
    await brief.put('a', bytes(100));
    await redis.until('it to expire', async () => (await brief.get('a')) === undefined);
    await redis.until('the books to follow', async () => (await brief.bytesInFlight()) === 0);
  });

  test('leaves no trace when all is removed, but a sum of 0', async () => {
    const features = new RedisFeatures(redis.redis, { ttlMs });
    await features.put('a', bytes(100));
    await features.remove('a');
    expect(await redis.redis.keys('*')).toEqual(['cutline:{features}:bytes']);
  });

  test('keeps all its keys on one node of a Redis Cluster', async () => {
    await new RedisFeatures(redis.redis, { ttlMs }).put('a', bytes(100));
    const keys = await redis.redis.keys('*');
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(key).toMatch(/^cutline:\{features\}:/);
  });
});
