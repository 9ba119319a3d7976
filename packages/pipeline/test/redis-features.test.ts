import { connectRedis, RedisFeatures } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { countCommands } from '../../../test/support/count-commands.ts';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

/** What features are to a Redis. */

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.url);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});
beforeEach(() => redis.flushall());

test('it drops a value by itself when its time is over, and the books follow', async () => {
  const brief = new RedisFeatures(redis, { ttlMs: 40 });
  await brief.put('a', Buffer.alloc(100));
  await waitFor(async () => (await brief.get('a')) === undefined, {
    deadlineMs: 10_000,
    what: 'the value to expire',
  });
  await waitFor(async () => (await brief.bytesInFlight()) === 0, {
    deadlineMs: 10_000,
    what: 'the books to follow',
  });
});

test('values and books agree, also where several put and remove one name at once', async () => {
  const store = new RedisFeatures(redis, { ttlMs: 60_000 });
  const names = Array.from({ length: 20 }, (_, i) => `batch-${i}`);
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const name = names[i % 20] as string;
      await store.put(name, Buffer.alloc(10 + (i % 20)));
      if (i % 3 === 0) await store.remove(name);
    }),
  );
  const left = await Promise.all(names.map((name) => store.get(name)));
  const sizes = left.map((blob) => blob?.byteLength ?? 0);
  expect(await store.bytesInFlight()).toBe(sizes.reduce((sum, size) => sum + size, 0));
});

test('no trace of them stays when all are removed, and each step is one command', async () => {
  const store = new RedisFeatures(redis, { ttlMs: 60_000 });
  const commands = await countCommands(server.url, (command) => !command.startsWith('"echo"'));
  await store.put('a', Buffer.alloc(100));
  await store.get('a');
  await store.bytesInFlight();
  await store.memory();
  await store.remove('a');
  expect(await commands.stop()).toBe(5);
  expect(await redis.keys('*')).toEqual(['cutline:{features}:bytes']);
});
