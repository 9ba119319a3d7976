import { connectRedis, type RedisConnection, redisMemory } from '@cutline/pipeline';
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { command, startCluster } from '../../../test/support/redis-topologies.ts';

/** A cluster of three masters; the contract of queues is kept on a cluster, too. */

let servers: RedisServer[];
let url: string;
let redis: RedisConnection;

beforeAll(async () => {
  servers = await startCluster();
  const [first, second] = servers;
  url = `redis+cluster://127.0.0.1:${first?.port},127.0.0.1:${second?.port}`;
});

afterAll(() => Promise.all(servers.map((server) => server.stop())));

beforeEach(async () => {
  redis = await connectRedis(url);
});

afterEach(() => redis.disconnect());

test('its keys are spread over all of its masters', async () => {
  expect(redis).toBeInstanceOf(Cluster);
  for (let n = 0; n < 30; n += 1) await redis.set(`cutline:test:${n}`, n);
  expect(await redis.get('cutline:test:7')).toBe('7');
  for (const { port } of servers) expect(await command(port, 'DBSIZE')).toBeGreaterThan(0);
});

test('a script whose keys share a hash tag is carried out', async () => {
  const script = "redis.call('SET', KEYS[1], ARGV[1]); return redis.call('INCRBY', KEYS[2], 5)";
  const keys = ['cutline:{abc}:a', 'cutline:{abc}:b'];
  expect(await redis.eval(script, 2, ...keys, 'x')).toBe(5);
  expect(await redis.get('cutline:{abc}:a')).toBe('x');
});

test('it is as full as its fullest master', async () => {
  const [, , third] = servers as [RedisServer, RedisServer, RedisServer];
  expect((await redisMemory(redis)).limitBytes).toBe(Number.POSITIVE_INFINITY);
  await command(third.port, 'CONFIG', 'SET', 'maxmemory', '100mb');
  const { usedBytes, limitBytes } = await redisMemory(redis);
  expect(limitBytes).toBe(100 * 1024 * 1024);
  expect(usedBytes).toBeGreaterThan(100_000);
  await command(third.port, 'CONFIG', 'SET', 'maxmemory', 0);
});

test('each of its masters must keep keys when memory runs short', async () => {
  const { port } = servers[2] as RedisServer;
  await command(port, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await expect(connectRedis(url)).rejects.toThrow(
    new RegExp(`has maxmemory-policy "allkeys-lru" on one of its nodes \\(127.0.0.1:${port}\\)`),
  );
  await command(port, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
});

test('one of its nodes alone is refused', async () => {
  await expect(connectRedis(servers[0]?.url as string)).rejects.toThrow(
    /is a node of a cluster: write redis\+cluster:\/\/, not redis:\/\/\.$/,
  );
});

test('a server that is no cluster is refused as one', async () => {
  const server = await startRedis();
  try {
    await expect(connectRedis(`redis+cluster://127.0.0.1:${server.port}`)).rejects.toThrow(
      /^Redis at .* is no cluster: write redis:\/\/\.$/,
    );
  } finally {
    await server.stop();
  }
});

test('a cluster that is not there is told of like a server', async () => {
  await expect(connectRedis('redis+cluster://127.0.0.1:1,127.0.0.1:2')).rejects.toThrow(
    /^Cannot reach Redis at redis\+cluster:\/\/127\.0\.0\.1:1,127\.0\.0\.1:2 \(.*ECONNREFUSED.*\): start it/,
  );
});

test('a node that is gone for a moment costs nothing but time', async () => {
  const { port } = servers[1] as RedisServer;
  for (let n = 0; n < 30; n += 1) await redis.set(`cutline:test:${n}`, n);
  // Its connections break, as they do when a node starts anew.
  await command(port, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  const values = await Promise.all(
    [...Array(30).keys()].map((n) => redis.get(`cutline:test:${n}`)),
  );
  expect(values).toEqual([...Array(30).keys()].map(String));
});
