import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectRedis,
  FeatureBooks,
  type FeatureStore,
  MemoryFeatures,
  RedisFeatures,
  realWorld,
  StoredFeatures,
  type World,
} from '@cutline/pipeline';
import { isTransient } from '@cutline/shared/errors';
import { MemoryStore, type ObjectStore, openStore, StoreError } from '@cutline/shared/stores';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ageKeys } from '../../../test/support/age-keys.ts';
import { startRedis } from '../../../test/support/redis-server.ts';
import { startS3 } from '../../../test/support/s3-server.ts';

/**
 * What every home of features does, on Redis, on a Redis Cluster, in a bucket, in a folder and in
 * memory: values and books change together, whatever is repeated.
 */

interface Place {
  /** Two processes' view of the same features. */
  stores: [FeatureStore, FeatureStore];
  /** Has the values age; the world's clock is set already. */
  age(ms: number): Promise<void>;
  /** Sets the limit of the memory that has the features, or their books; undefined: none. */
  limit(bytes: number | undefined): Promise<unknown>;
  /** What is left in the store, whether on the books or not. */
  objects?(): Promise<string[]>;
  flush(): Promise<unknown>;
  stop(): Promise<void>;
}

const ttlMs = 3_600_000;

async function onRedis(world: World, options: { cluster: boolean }): Promise<Place> {
  const server = await startRedis(options);
  const clients = [await connectRedis(server.url), await connectRedis(server.url)] as const;
  const [redis] = clients;
  return {
    stores: [
      new RedisFeatures(clients[0], { ttlMs, world }),
      new RedisFeatures(clients[1], { ttlMs, world }),
    ],
    age: (ms) => ageKeys(redis, ms),
    limit: (bytes = 0) => redis.config('SET', 'maxmemory', bytes),
    flush: () => redis.flushall(),
    async stop() {
      for (const client of clients) client.disconnect();
      await server.stop();
    },
  };
}

async function inBucket(world: World): Promise<Place> {
  const s3 = await startS3();
  const store = await openStore(s3.createBucket('features'), s3.config);
  const place = await inStore(store, { prefix: 'in/flight/', world });
  return {
    ...place,
    async stop() {
      await place.stop();
      store.close();
      await s3.stop();
    },
  };
}

async function inFolder(world: World): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-features-'));
  const place = await inStore(await openStore(folder), { prefix: '', world });
  return {
    ...place,
    objects: () => readdir(folder),
    async stop() {
      await place.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Objects with books on a Redis. */
async function inStore(
  store: ObjectStore,
  { prefix, world }: { prefix: string; world: World },
): Promise<Place> {
  const server = await startRedis();
  const clients = [await connectRedis(server.url), await connectRedis(server.url)] as const;
  const [redis] = clients;
  const objects = async () => {
    const keys: string[] = [];
    for await (const { key } of store.list()) keys.push(key);
    return keys;
  };
  return {
    stores: [
      new StoredFeatures({ store, prefix, redis: clients[0], ttlMs, world }),
      new StoredFeatures({ store, prefix, redis: clients[1], ttlMs, world }),
    ],
    age: (ms) => ageKeys(redis, ms),
    limit: (bytes = 0) => redis.config('SET', 'maxmemory', bytes),
    objects,
    async flush() {
      await redis.flushall();
      for (const key of await objects()) await store.delete(key);
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await server.stop();
    },
  };
}

async function inMemory(world: World): Promise<Place> {
  const store = new MemoryFeatures({ ttlMs, world });
  return {
    stores: [store, store],
    age: async () => {},
    async limit(bytes = Number.POSITIVE_INFINITY) {
      store.limitBytes = bytes;
    },
    flush: async () => store.flush(),
    stop: async () => {},
  };
}

describe.each([
  { name: 'on Redis', start: (world: World) => onRedis(world, { cluster: false }) },
  { name: 'on a Redis Cluster', start: (world: World) => onRedis(world, { cluster: true }) },
  { name: 'in a bucket', start: inBucket },
  { name: 'in a folder', start: inFolder },
  { name: 'in memory', start: inMemory },
])('$name', ({ start }) => {
  let place: Place;
  let store: FeatureStore;
  let nowMs = 1_000_000;

  beforeAll(async () => {
    place = await start({ ...realWorld, now: () => nowMs });
    store = place.stores[0];
  });
  afterAll(() => place?.stop());
  beforeEach(() => place.flush());

  async function pass(ms: number): Promise<void> {
    nowMs += ms;
    await place.age(ms);
  }
  const bytes = (n: number, value = 7) => Buffer.alloc(n, value);

  test('gives back the very bytes, zeros and all', async () => {
    const blob = Buffer.from([0, 255, 10, 13, 0, 128]);
    await store.put('run.000000.0', blob);
    expect(await place.stores[1].get('run.000000.0')).toEqual(blob);
  });

  test('keeps what it was given, whatever becomes of that afterwards', async () => {
    const blob = bytes(6);
    await store.put('a', blob);
    blob.fill(1);
    (await store.get('a'))?.fill(2);
    expect(await store.get('a')).toEqual(bytes(6));
  });

  test('knows nothing of what was never put', async () => {
    expect(await store.get('run.000000.0')).toBeUndefined();
    expect(await store.bytesInFlight()).toBe(0);
  });

  test('takes any name, those of its own books too', async () => {
    for (const name of ['sizes', 'expiry', 'bytes', 'blob:', '{x}']) {
      await store.put(name, bytes(1));
      expect(await store.get(name)).toEqual(bytes(1));
    }
    expect(await store.bytesInFlight()).toBe(5);
  });

  test('sums up the bytes in flight', async () => {
    expect(await store.put('a', bytes(100))).toBe(100);
    expect(await place.stores[1].put('b', bytes(30))).toBe(130);
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
    const names = Array.from({ length: 20 }, (_, i) => `batch-${i}`);
    await Promise.all(
      names.map(async (name, n) => {
        for (let i = 0; i < 10; i++) {
          const each = place.stores[i % 2] as FeatureStore;
          await each.put(name, bytes(10 + n + i));
          if ((n + i) % 3 === 0) await each.remove(name);
        }
      }),
    );
    const left = await Promise.all(names.map((name) => store.get(name)));
    const sizes = left.map((blob) => blob?.byteLength ?? 0);
    expect(await store.bytesInFlight()).toBe(sizes.reduce((sum, size) => sum + size, 0));
    expect(sizes.filter((size) => size > 0)).toHaveLength(13);
    await Promise.all(names.map((name) => store.remove(name)));
    expect(await store.bytesInFlight()).toBe(0);
  });

  test('drops what expired, from the books too, and nothing else', async () => {
    await store.put('old', bytes(100));
    await pass(ttlMs / 2);
    await store.put('new', bytes(30));
    await pass(ttlMs / 2 - 60_000);
    expect(await store.get('old')).toEqual(bytes(100));
    expect(await store.bytesInFlight()).toBe(130);
    await pass(60_000);
    expect(await store.bytesInFlight()).toBe(30);
    expect(await store.get('old')).toBeUndefined();
    await pass(ttlMs);
    expect(await store.bytesInFlight()).toBe(0);
    expect(await store.get('new')).toBeUndefined();
    expect((await place.objects?.()) ?? []).toEqual([]);
  });

  test('removes all that a run has, and nothing of others', async () => {
    for (const name of ['r1.000000.0.x', 'r1.000001.0ra.y', 'r10.000000.0.z', 'r-r1.000000.0.a']) {
      await store.put(name, bytes(10));
    }
    await place.stores[1].removeAll('r1.');
    expect(await store.bytesInFlight()).toBe(20);
    expect(await store.get('r1.000001.0ra.y')).toBeUndefined();
    expect(await store.get('r10.000000.0.z')).toEqual(bytes(10));
    await store.removeAll('none.');
    expect(await store.bytesInFlight()).toBe(20);
  });

  test('removes all that a job has but one', async () => {
    for (const name of ['r1.000000.0.x', 'r1.000000.0.y', 'r1.000000.0a.z', 'r1.000001.0.x']) {
      await store.put(name, bytes(10));
    }
    await place.stores[1].removeAll('r1.000000.0.', { except: 'r1.000000.0.y' });
    expect(await store.bytesInFlight()).toBe(30);
    expect(await store.get('r1.000000.0.x')).toBeUndefined();
  });

  test('gives a blob that is put again its whole time', async () => {
    await store.put('a', bytes(100));
    await pass(ttlMs - 60_000);
    await store.put('a', bytes(100));
    await pass(ttlMs - 60_000);
    expect(await store.get('a')).toEqual(bytes(100));
    expect(await store.bytesInFlight()).toBe(100);
  });

  test('counts what is put again after it expired once, and what is removed then, not', async () => {
    await store.put('a', bytes(100));
    await store.put('b', bytes(100));
    await pass(ttlMs);
    await store.put('a', bytes(30));
    await store.remove('b');
    expect(await store.bytesInFlight()).toBe(30);
  });

  test('takes more off the books than one script does at a time', async () => {
    await Promise.all(Array.from({ length: 1_500 }, (_, i) => store.put(`batch-${i}`, bytes(2))));
    nowMs += ttlMs; // only the books matter, and ageing this many values takes long
    expect(await store.bytesInFlight()).toBe(0);
    expect((await place.objects?.()) ?? []).toEqual([]);
  });

  test('may lose everything at any time', async () => {
    await store.put('a', bytes(100));
    await place.flush();
    expect(await store.get('a')).toBeUndefined();
    expect(await store.put('b', bytes(30))).toBe(30);
  });

  test('refuses what does not fit, which is transient, and lets go of what it has', async () => {
    await store.put('a', bytes(100));
    await place.limit(1);
    try {
      await expect(store.put('b', bytes(30))).rejects.toSatisfy(isTransient);
      expect(await store.get('b')).toBeUndefined();
      expect(await store.bytesInFlight()).toBe(100);
      expect(await store.get('a')).toEqual(bytes(100));
      await store.remove('a');
      expect(await store.bytesInFlight()).toBe(0);
    } finally {
      await place.limit(undefined);
    }
    expect(await store.put('b', bytes(30))).toBe(30);
  });
});

describe.each([
  { name: 'on Redis', start: (world: World) => onRedis(world, { cluster: false }) },
  { name: 'in memory', start: inMemory },
])('$name', ({ start }) => {
  test('tells how full its memory is', async () => {
    const place = await start(realWorld);
    const [store] = place.stores;
    try {
      const before = await store.memory();
      expect(before.limitBytes).toBe(Number.POSITIVE_INFINITY);
      await store.put('a', Buffer.alloc(4_000_000));
      const { usedBytes } = await store.memory();
      expect(usedBytes - before.usedBytes).toBeGreaterThan(3_900_000);
      await place.limit(200_000_000);
      expect((await store.memory()).limitBytes).toBe(200_000_000);
    } finally {
      await place.stop();
    }
  });
});

describe('a store', () => {
  test('that is a folder tells what features take there, and what they might take', async () => {
    const place = await inFolder(realWorld);
    const [store] = place.stores;
    try {
      await store.put('a', Buffer.alloc(1_000));
      const { usedBytes, limitBytes } = await store.memory();
      expect(usedBytes).toBe(1_000);
      expect(limitBytes).toBeGreaterThan(1_000);
      expect(limitBytes).toBeLessThan(Number.POSITIVE_INFINITY);
    } finally {
      await place.stop();
    }
  });

  test('that is a bucket has no end', async () => {
    const place = await inBucket(realWorld);
    const [store] = place.stores;
    await store.put('a', Buffer.alloc(1_000));
    expect(await store.memory()).toEqual({ usedBytes: 0, limitBytes: Number.POSITIVE_INFINITY });
    await place.stop();
  });

  test('that refuses an object keeps nothing of it on the books', async () => {
    const server = await startRedis();
    const redis = await connectRedis(server.url);
    const memory = new MemoryStore();
    const denied = new StoreError('access-denied', 'no');
    memory.put = async () => Promise.reject(denied);
    const store = new StoredFeatures({ store: memory, prefix: '', redis, ttlMs });
    try {
      await expect(store.put('a', Buffer.alloc(1_000))).rejects.toBe(denied);
      expect(await store.bytesInFlight()).toBe(0);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });

  test('has its features where Redis lost the books', async () => {
    const server = await startRedis();
    const redis = await connectRedis(server.url);
    const store = new StoredFeatures({ store: new MemoryStore(), prefix: '', redis, ttlMs });
    try {
      await store.put('a', Buffer.alloc(10, 7));
      await redis.flushall();
      expect(await store.get('a')).toEqual(Buffer.alloc(10, 7));
      await store.remove('a');
      expect(await store.get('a')).toBeUndefined();
      expect(await store.bytesInFlight()).toBe(0);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });
});

test('whoever looks at the books sees what is in flight, and sweeps nothing', async () => {
  const server = await startRedis();
  const redis = await connectRedis(server.url);
  let nowMs = 1_000_000;
  const world = { ...realWorld, now: () => nowMs };
  const memory = new MemoryStore('s3://features');
  const store = new StoredFeatures({ store: memory, prefix: 'a/', redis, ttlMs, world });
  const books = new FeatureBooks(redis, { home: store.home, world });
  try {
    await store.put('old', Buffer.alloc(100));
    nowMs += ttlMs / 2;
    await store.put('new', Buffer.alloc(30));
    nowMs += ttlMs / 2;
    expect(await books.bytesInFlight()).toBe(30);
    expect(await books.expired()).toEqual(['old']);
    expect(await memory.head('a/old.features')).toBeDefined();
    expect(await store.bytesInFlight()).toBe(30);
    expect(await memory.head('a/old.features')).toBeUndefined();
  } finally {
    redis.disconnect();
    await server.stop();
  }
});
