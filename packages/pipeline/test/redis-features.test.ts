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
