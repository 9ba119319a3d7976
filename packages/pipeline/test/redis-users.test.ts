import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  connectRedis,
  FeatureBooks,
  openBullQueue,
  RedisBoard,
  RedisFeatures,
  realWorld,
  redisMemory,
  type TakenJob,
} from '@cutline/pipeline';
import { describeError, isForUser } from '@cutline/shared/errors';
import { jobId } from '@cutline/shared/run';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { smallJob } from './support/example-jobs.ts';

/** infra/redis/users.acl lets its user do all that Cutline does, and little else. */

const root = new URL('../../../', import.meta.url);
const aclFile = fileURLToPath(new URL('infra/redis/users.acl', root));

let folder: string;
let server: RedisServer;
let admin: Redis;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-acl-'));
  const file = join(folder, 'users.acl');
  await writeFile(file, '');
  server = await startRedis({ args: ['--aclfile', file] });
  admin = new Redis(server.port, '127.0.0.1');
  await writeFile(file, await readFile(aclFile));
  await admin.acl('LOAD');
  admin.disconnect();
  admin = new Redis(server.port, '127.0.0.1', { password: 'change-this-too' });
  url = `redis://cutline:change-this@127.0.0.1:${server.port}`;
});

afterAll(async () => {
  admin.disconnect();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => admin.acl('LOG', 'RESET'));

/** What the user was denied: the command, or the key. */
async function denied(): Promise<string[]> {
  const entries = (await admin.acl('LOG')) as string[][];
  return entries.map((entry) => entry[entry.indexOf('object') + 1] as string);
}

test('jobs go their ways', async () => {
  const redis = await connectRedis(url);
  const open = () =>
    openBullQueue({ stage: 'encode', model: 'tiny@abc', redis, lockMs: 1_000, world: realWorld });
  const [producer, worker] = [open(), open()];
  const take = async () => (await worker.take(10_000)) as TakenJob;
  try {
    expect(await producer.addNew(smallJob(0))).toBe(true);
    expect(await producer.addNew(smallJob(0))).toBe(false);
    expect(await producer.oldestWaiting()).toBeGreaterThan(0);
    const first = await take();
    expect(await worker.renew(first)).toBe(true);
    expect(await worker.giveBack(first, { delayMs: 20 })).toBe(true);
    expect(await worker.finish(await take())).toBe(true);
    await producer.add(smallJob(1));
    expect(await worker.refuse(await take(), 'of another version')).toBe(true);
    // One whose worker dies is taken from it; one that waits for later is withdrawn.
    await producer.add(smallJob(2));
    await take();
    expect((await take()).deaths).toBe(1);
    await producer.add(smallJob(3), { delayMs: 60_000 });
    expect(await producer.counts()).toMatchObject({ delayed: 1, active: 1, failed: 1 });
    expect(await producer.workers()).toBe(1);
    expect((await producer.live()).map(({ batch }) => batch).toSorted()).toEqual([2, 3]);
    expect(await producer.remove(jobId(smallJob(3)))).toBe(true);
  } finally {
    await worker.close();
    await producer.close();
    redis.disconnect();
  }
  expect(await denied()).toEqual([]);
});

test('features, progress, locks and memory are within its rights', async () => {
  const redis = await connectRedis(url);
  const features = new RedisFeatures(redis, { ttlMs: 60_000 });
  await features.put('run.0.0', Buffer.from('features'));
  expect(await features.get('run.0.0')).toEqual(Buffer.from('features'));
  await features.remove('run.0.0');
  await features.put('run.0.0', Buffer.from('features'));
  await features.removeAll('run.');
  expect(await features.bytesInFlight()).toBe(0);
  const books = new FeatureBooks(redis, { home: 's3://bucket/' });
  await books.enter('run.0.0', { bytes: 8, ttlMs: 0 });
  expect(await books.bytesInFlight()).toBe(0);
  await books.strike(await books.expired());

  const board = new RedisBoard(redis);
  await board.setProgress('run', { listed: 3 });
  await board.count('run', 'part:0.0', { captioned: 3 });
  expect(await board.progress('run')).toMatchObject({ listed: 3, captioned: 3 });
  expect(await board.idleMs('run')).toBeGreaterThanOrEqual(0);
  await board.enlist({ run: 'run', model: 'tiny@00' });
  expect(await board.enlisted()).toHaveLength(1);
  await board.delist({ run: 'run', model: 'tiny@00' });
  await redis.set('cutline:probe', '1', 'PX', 1_000);
  await board.endProgress('run', { listed: 3 });
  await board.resetProgress('run');
  await board.raiseFloor('run', 2);
  expect(await board.floor('run')).toBe(2);
  expect(await board.beginTrial('encode:run.0.0')).toBe(0);
  await board.endTrial('encode:run.0.0');
  expect(await board.lock('run', 'me', 1_000)).toBeUndefined();
  await board.release('run', 'me');
  expect((await redisMemory(redis)).usedBytes).toBeGreaterThan(0);
  expect(await denied()).toEqual([]);
  redis.disconnect();
});

test('whatever scripts call, BullMQ’s and ours, is within its rights', async () => {
  const granted = new Set((await readFile(aclFile, 'utf8')).split(/\s+/));
  const called = new Set<string>();
  for (const path of ['node_modules/bullmq/dist/esm/scripts', 'packages/pipeline/src']) {
    const base = fileURLToPath(new URL(path, root));
    for (const name of await readdir(base, { recursive: true })) {
      if (!/\.[jt]s$/.test(name)) continue;
      const text = await readFile(join(base, name), 'utf8');
      const calls = text.matchAll(/(?:rcall|redis\.p?call)\(\s*['"]([A-Za-z]+)/g);
      for (const [, command] of calls) called.add(`+${command?.toLowerCase()}`);
    }
  }
  expect(called.size).toBeGreaterThan(40);
  expect([...called].filter((command) => !granted.has(command))).toEqual([]);
});

test.each([
  ['config', (redis: Redis) => redis.config('SET', 'maxmemory', 1)],
  ['flushall', (redis: Redis) => redis.flushall()],
  ['keys', (redis: Redis) => redis.keys('*')],
  ['get', (redis: Redis) => redis.get('another')],
  ['publish', (redis: Redis) => redis.publish('cutline:x', '')],
])('%s, of what is not Cutline’s, is not, and the message names it', async (name, call) => {
  const redis = await connectRedis(url);
  const error = await call(redis).catch((thrown) => thrown);
  expect(describeError(error)).toMatch(new RegExp(`^Redis answers ${name} with "NOPERM `));
  expect(isForUser(error)).toBe(true);
  redis.disconnect();
});

test('a user without enough rights hears at the start of what is missing', async () => {
  await admin.acl('SETUSER', 'poor', 'on', '>pw', '~*', '+@all', '-info');
  await expect(connectRedis(`redis://poor:pw@127.0.0.1:${server.port}`)).rejects.toThrow(
    /does not let this user do what queues need \(.*'info' command.*\): grant it, as infra\/redis\/users\.acl does\.$/,
  );
});
