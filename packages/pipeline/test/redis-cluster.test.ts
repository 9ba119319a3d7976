import { connectRedis, type RedisConnection, redisMemory } from '@cutline/pipeline';
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { command, startCluster } from '../../../test/support/redis-topologies.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

/** A cluster of three masters; the contract of queues is kept on a cluster, too. */

let servers: RedisServer[];
let url: string;
let redis: RedisConnection;

beforeAll(async () => {
  servers = (await startCluster()).map(({ master }) => master);
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

test('who comes while it is not whole is connected once it is, duplicates too', async () => {
  const [first, second, third] = servers as [RedisServer, RedisServer, RedisServer];
  const others = [first, second].map(({ port }) => port);
  const isBroken = async (port: number) =>
    String(await command(port, 'CLUSTER', 'INFO')).includes('state:fail');
  const wasAsked = async (port: number) =>
    String(await command(port, 'INFO', 'commandstats')).includes('cmdstat_cluster|info');
  await third.kill();
  const what = 'the others to miss it, and to say so';
  for (const port of others) {
    await waitFor(() => isBroken(port), { deadlineMs: 20_000, what });
    await command(port, 'CONFIG', 'RESETSTAT');
  }
  const duplicate = (redis as Cluster).duplicate();
  const connecting = [connectRedis(url, { deadlineMs: 30_000 }), duplicate.connect()] as const;
  await waitFor(async () => (await Promise.all(others.map(wasAsked))).includes(true), {
    deadlineMs: 10_000,
    what,
  });
  await third.restart();
  const [client] = await Promise.all(connecting);
  for (const each of [client, duplicate]) {
    expect(await each.set('cutline:test', 'x')).toBe('OK');
    each.disconnect();
  }
});
