import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectRedis, RedisBoard, RedisFeatures, redisMemory } from '@cutline/pipeline';
import { describeError, isForUser } from '@cutline/shared/errors';
import { DelayedError, Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

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

test.each(['cutline', '{cutline-abc}'])('jobs go their ways, under %s', async (prefix) => {
  const redis = await connectRedis(url);
  const options = { connection: redis, prefix };
  const queue = new Queue('encode', options);
  const events = new QueueEvents('encode', options);
  const seen: string[] = [];
  const errors: unknown[] = [];
  for (const event of ['completed', 'failed', 'delayed'] as const) {
    events.on(event, () => seen.push(event));
  }
  await events.waitUntilReady();
  const worker = new Worker(
    'encode',
    async (job, token) => {
      if (job.data.fails && job.attemptsMade === 0) throw new Error('once');
      if (job.data.waits && job.attemptsStarted === 1) {
        await job.moveToDelayed(Date.now() + 20, token);
        throw new DelayedError();
      }
      await job.extendLock(token as string, 10_000);
    },
    { ...options, lockDuration: 1_000, stalledInterval: 50, lockRenewTime: 20 },
  );
  worker.on('error', (error) => errors.push(error));
  events.on('error', (error) => errors.push(error));
  try {
    const keep = { removeOnComplete: { count: 2, age: 60 }, attempts: 2 };
    await queue.add('job', {}, { ...keep, jobId: 'job-1' });
    await queue.add('job', {}, { ...keep, jobId: 'job-1' });
    await queue.addBulk([
      { name: 'job', data: { fails: true }, opts: { ...keep, backoff: 10 } },
      { name: 'job', data: { waits: true }, opts: keep },
      { name: 'job', data: {}, opts: { ...keep, delay: 20 } },
      { name: 'job', data: {}, opts: { ...keep, delay: 60_000, jobId: 'job-late' } },
    ]);
    await waitFor(() => seen.filter((event) => event === 'completed').length === 4, {
      deadlineMs: 10_000,
      what: 'the jobs to be done',
    });
    expect(await queue.getJobCounts()).toMatchObject({ completed: 2, delayed: 1, failed: 0 });
    expect(await queue.getRanges(['delayed', 'waiting'], 0, -1)).toEqual(['job-late']);
    expect(await queue.getWorkersCount()).toBe(1);
    expect(await queue.getWaiting(0, 0)).toEqual([]);
    expect(await queue.remove('job-late')).toBe(1);
  } finally {
    await worker.close();
    await events.close();
    await queue.close();
    redis.disconnect();
  }
  // Renewing as often as here meets jobs that have just been finished.
  expect(errors.map(String).filter((error) => !/could not renew lock/.test(error))).toEqual([]);
  expect(await denied()).toEqual([]);
});

test('features, progress, locks and memory are within its rights', async () => {
  const redis = await connectRedis(url);
  const features = new RedisFeatures(redis, { ttlMs: 60_000 });
  await features.put('run.0.0', Buffer.from('features'));
  expect(await features.get('run.0.0')).toEqual(Buffer.from('features'));
  await features.remove('run.0.0');
  expect(await features.bytesInFlight()).toBe(0);

  const board = new RedisBoard(redis);
  await board.setProgress('run', { listed: 3 });
  await board.count('run', 'part:0.0', { captioned: 3 });
  expect(await board.progress('run')).toMatchObject({ listed: 3, captioned: 3 });
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
