import { connectRedis, RedisBoard } from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { countCommands } from '../../../test/support/count-commands.ts';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';

/** What the board costs a Redis. */

let server: RedisServer;
let redis: Redis;
let board: RedisBoard;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.url);
  board = new RedisBoard(redis);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});
beforeEach(() => redis.flushall());

const operations: [name: string, operation: () => Promise<unknown>][] = [
  ['lock', () => board.lock('r', 'ada', 60_000)],
  ['seize', () => board.seize('r', 'ada', 60_000)],
  ['owner', () => board.owner('r')],
  ['raiseFloor', () => board.raiseFloor('r', 1)],
  ['floor', () => board.floor('r')],
  ['count', () => board.count('r', 'part:0.0', { captioned: 64, failed: 1 })],
  ['setProgress', () => board.setProgress('r', { listed: 100, enqueued: 64 })],
  ['progress', () => board.progress('r')],
  ['beginTrial', () => board.beginTrial('encode:r.000000.0')],
];
const removals: typeof operations = [
  ['release', () => board.release('r', 'ada')],
  ['endProgress', () => board.endProgress('r', { listed: 100, captioned: 100 })],
  ['resetProgress', () => board.resetProgress('r')],
  ['endTrial', () => board.endTrial('encode:r.000000.0')],
];

test.each([...operations, ...removals])('%s is one command', async (_name, operation) => {
  const commands = await countCommands(server.url, (command) => !command.startsWith('"echo"'));
  await operation();
  expect(await commands.stop()).toBe(1);
});

test('nothing stays in Redis for ever', async () => {
  for (const [, operation] of operations) await operation();
  const keys = await redis.keys('*');
  expect(keys.toSorted()).toEqual([
    'cutline:trials:encode:r.000000.0',
    'cutline:{run:r}:floor',
    'cutline:{run:r}:producer',
    'cutline:{run:r}:progress',
    'cutline:{run:r}:steps',
  ]);
  for (const key of keys) expect(await redis.ttl(key), key).toBeGreaterThan(0);
  for (const [, removal] of removals) await removal();
  expect(await redis.keys('*')).toEqual(['cutline:{run:r}:floor']);
});

test('the steps of a run take some hundredths of a byte an image', async () => {
  const batches = 5_000;
  const imagesPerBatch = 64;
  for (const kind of ['encode', 'part']) {
    await Promise.all(
      Array.from({ length: batches }, (_, batch) =>
        board.count('r', `${kind}:${batch}.0`, { captioned: imagesPerBatch }),
      ),
    );
  }
  const bytes = await redis.memory('USAGE', 'cutline:{run:r}:steps', 'SAMPLES', 0);
  expect(Number(bytes) / (batches * imagesPerBatch)).toBeLessThan(0.03);
});
