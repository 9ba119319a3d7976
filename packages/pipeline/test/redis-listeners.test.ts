import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { connectRedis } from '@cutline/pipeline';
import type { Cluster } from 'ioredis';
import { expect, test } from 'vitest';
import { startRedis } from '../../../test/support/redis-server.ts';
import { steady } from '../dist/redis/steady-cluster.js';

/** What is listened for while Redis is away, or is not the one to ask, does not pile up. */

test('a cluster that does not come back is tried for a long time with two listeners', async () => {
  const cluster = new EventEmitter() as unknown as Cluster & EventEmitter;
  cluster.connect = () => new Promise(() => {});
  cluster.duplicate = () => cluster;
  steady(cluster);
  const tries = Array.from({ length: 50 }, () => cluster.connect());
  expect([cluster.listenerCount('ready'), cluster.listenerCount('end')]).toEqual([1, 1]);
  cluster.emit('ready');
  await Promise.all(tries);
  expect([cluster.listenerCount('ready'), cluster.listenerCount('end')]).toEqual([0, 0]);

  const again = cluster.connect();
  cluster.emit('end');
  await expect(again).rejects.toThrow('Connection is closed.');
  expect([cluster.listenerCount('ready'), cluster.listenerCount('end')]).toEqual([0, 0]);
});

test('a connection on which many commands are refused at once is ended once', async () => {
  const server = await startRedis();
  const redis = await connectRedis(server.url);
  await redis.call('REPLICAOF', '127.0.0.1', '1');
  const { stream } = redis as unknown as { stream: Socket };
  const listeners = new Promise((resolve) => {
    stream.prependListener('close', () => resolve(stream.listenerCount('close')));
  });
  const before = stream.listenerCount('close');
  const answers = Array.from({ length: 50 }, (_, n) => redis.set(`key-${n}`, ''));
  expect(await listeners).toBe(before + 1); // the one that ends it
  await redis.call('REPLICAOF', 'NO', 'ONE');
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['OK']));
  redis.disconnect();
  await server.stop();
});
