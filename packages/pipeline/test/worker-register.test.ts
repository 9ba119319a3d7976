import { connectRedis, WorkerRegister, type WorkerSign } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';

/** Workers as they tell of themselves, in a real Redis. */

let server: RedisServer;
let redis: Redis;
let register: WorkerRegister;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.url);
});
beforeEach(async () => {
  await redis.flushall();
  register = new WorkerRegister(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const sign: WorkerSign = {
  ...{ program: 'encoder-worker', host: 'gpu-1', pid: 7, version: '0.1.0' },
  ...{ model: 'tiny@00', backend: 'onnx', started: '2026-11-28T08:00:00.000Z' },
  ...{ images: 40, inHand: 2 },
};

test('they are read as they told last, in order, until they are struck out', async () => {
  await register.tell('b', { ...sign, images: 1 });
  await register.tell('b', sign);
  await register.tell('a', { ...sign, host: 'gpu 2', program: 'decoder-worker' });
  const workers = await register.read();
  expect(workers).toEqual([
    { ...sign, id: 'a', host: 'gpu 2', program: 'decoder-worker', silentMs: expect.any(Number) },
    { ...sign, id: 'b', silentMs: expect.any(Number) },
  ]);
  for (const { silentMs } of workers) expect(silentMs).toBeLessThan(60_000);
  await register.strikeOut('a');
  expect((await register.read()).map(({ id }) => id)).toEqual(['b']);
});

test('those not heard of for a day are forgotten, by whoever reads', async () => {
  await register.tell('a', sign);
  await register.tell('b', sign);
  const [field, told] = ['a', await redis.hget('cutline:workers', 'a')];
  const [ms = '', ...rest] = (told ?? '').split(' ');
  const before = (hours: number) => `${Number(ms) - hours * 3_600_000} ${rest.join(' ')}`;
  await redis.hset('cutline:workers', field, before(23));
  const [silent] = await register.read();
  expect(silent?.silentMs).toBeGreaterThanOrEqual(23 * 3_600_000);
  await redis.hset('cutline:workers', field, before(25));
  expect((await register.read()).map(({ id }) => id)).toEqual(['b']);
  expect(await redis.hexists('cutline:workers', field)).toBe(0);
});

test('a sign of a version that is not understood is left out', async () => {
  await register.tell('a', sign);
  await register.tell('b', { ...sign, images: 'many' } as unknown as WorkerSign);
  expect((await register.read()).map(({ id }) => id)).toEqual(['a']);
});

test('what is no sign at all hides nobody', async () => {
  await register.tell('a', sign);
  await register.tell('with a space', sign);
  const told = ((await redis.hget('cutline:workers', 'a')) ?? '').split(' ')[0];
  const others = ['', 'no time', `${told} no JSON`, `${told} `, `${told}`, '1e400 {}', '\xff'];
  for (const [n, text] of others.entries()) await redis.hset('cutline:workers', `b${n}`, text);
  expect((await register.read()).map(({ id }) => id)).toEqual(['a', 'with a space']);
});

test('who reads of a replica is not kept from it by what would be forgotten', async () => {
  await register.tell('a', sign);
  await redis.hset('cutline:workers', 'b', `1 ${JSON.stringify(sign)}`);
  await redis.replicaof('127.0.0.1', 1);
  try {
    expect((await register.read()).map(({ id }) => id)).toEqual(['a']);
  } finally {
    await redis.replicaof('NO', 'ONE');
  }
});
