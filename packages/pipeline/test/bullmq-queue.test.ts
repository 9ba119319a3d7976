import {
  connectRedis,
  type EncodeJob,
  type JobQueue,
  openBullQueue,
  openQueues,
  realWorld,
} from '@cutline/pipeline';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { countCommands } from '../../../test/support/count-commands.ts';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { smallJob } from './support/example-jobs.ts';

/** What the queue on BullMQ does beyond the contract: where its keys are, what it costs, outages. */

const model = 'tiny@0123456789ab';
const world = realWorld;

let server: RedisServer;
let redis: Redis;
let opened: JobQueue[];
const printed = ['log', 'warn', 'error'] as const;

beforeEach(async () => {
  for (const method of printed) vi.spyOn(console, method).mockImplementation(() => {});
  server = await startRedis();
  redis = await connectRedis(server.url);
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((queue) => queue.close()));
  redis?.disconnect();
  await server?.stop();
  for (const method of printed) expect(console[method]).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

function open(lockMs = 60_000): JobQueue<EncodeJob> {
  const queue = openBullQueue<EncodeJob>({ stage: 'encode', model, redis, lockMs, world });
  opened.push(queue);
  return queue;
}

test('both queues of a model are in one slot of Redis Cluster', async () => {
  const queues = openQueues({ redis, model, lockMs: 60_000, world });
  opened.push(queues.encode, queues.decode);
  await queues.encode.add(smallJob());
  await queues.decode.add({ ...smallJob(), images: [], features: null, deferred: [] });
  expect((await queues.encode.take(0))?.data).toEqual(smallJob());
  const keys = await redis.keys('*');
  for (const { name } of [queues.encode, queues.decode]) {
    const start = `{cutline-0123456789ab}:${name}:`;
    expect(keys).toContain(`${start}r1.000000.0`);
    expect(keys.filter((key) => key.startsWith(start)).length).toBeGreaterThan(3);
  }
  expect(keys.filter((key) => !key.startsWith('{cutline-0123456789ab}:'))).toEqual([]);
});

test('a model id without a hash is refused', () => {
  expect(() => openQueues({ redis, model: 'tiny', lockMs: 1, world })).toThrow(
    'Expected a model id <name>@<hash>, found "tiny"',
  );
});

describe('commands to Redis', () => {
  const queueCommand = (command: string) => !/^"(info|client|hmset|hset|echo)"/i.test(command);

  /** Commands that `operation` sends; scripts are known, and connections open, when it starts. */
  async function cost(operation: () => Promise<unknown>): Promise<number> {
    const counting = await countCommands(server.url, queueCommand);
    await operation();
    return counting.stop();
  }

  test('are few', async () => {
    const queue = open();
    // Scripts are sent in full once.
    await queue.add(smallJob(0));
    await queue.add(smallJob(1), { delayMs: 1 });
    for (const end of ['giveBack', 'finish', 'refuse'] as const) {
      const taken = await queue.take(10_000);
      if (!taken) throw new Error('No job');
      await queue.renew(taken);
      if (end === 'giveBack') await queue.giveBack(taken, { delayMs: 0 });
      else await queue[end](taken, 'no');
    }
    expect(await cost(() => queue.add(smallJob(2)))).toBe(1);
    expect(await cost(() => queue.addNew(smallJob(2)))).toBe(2);
    await queue.add(smallJob(3));
    await queue.add(smallJob(4));
    const taken: Awaited<ReturnType<typeof queue.take>>[] = [];
    const take = async () => taken.push(await queue.take(10_000));
    for (let i = 0; i < 3; i++) expect(await cost(take)).toBe(1);
    const [a, b, c] = taken;
    if (!(a && b && c)) throw new Error('No job');
    expect(await cost(() => queue.renew(a))).toBe(1);
    expect(await cost(() => queue.finish(a))).toBe(1);
    expect(await cost(() => queue.giveBack(b, { delayMs: 60_000 }))).toBe(1);
    expect(await cost(() => queue.refuse(c, 'no'))).toBe(1);
    expect(await cost(() => queue.live())).toBe(1);
    expect(await cost(() => queue.counts())).toBe(1);
    // A look for a job, and the wait for one; again for what the last take left to wake others,
    // and for what the job left that is delayed.
    expect(await cost(() => queue.take(500))).toBe(6);
    expect(await cost(() => queue.take(500))).toBe(2);
  });

  test('send the data of a job once, be it new or not', async () => {
    const queue = open();
    const job = smallJob();
    job.images = Array.from({ length: 64 }, (_, i) => ({ key: `k${i}`, etag: null, bytes: null }));
    let bytes = 0;
    const counting = await countCommands(server.url, (command) => {
      bytes += command.length;
      return true;
    });
    await queue.addNew(job);
    await queue.addNew(job);
    await counting.stop();
    const dataBytes = JSON.stringify(JSON.stringify(job)).length;
    expect(bytes).toBeGreaterThan(2 * dataBytes);
    // What is more is the script, once.
    expect(bytes).toBeLessThan(3 * dataBytes + 30_000);
  });
});

describe('where Redis refuses', () => {
  const refusals: [string, RegExp, () => Promise<unknown>, () => Promise<unknown>][] = [
    [
      'memory',
      /OOM command not allowed/,
      () => redis.config('SET', 'maxmemory', '1'),
      () => redis.config('SET', 'maxmemory', '0'),
    ],
  ];

  test.each(refusals)('%s, take says so each time, and loses no job', async (_, why, on, off) => {
    const queue = open();
    await queue.add(smallJob(0));
    await queue.add(smallJob(1), { delayMs: 1 });
    await waitFor(async () => (await queue.take(0)) !== undefined, {
      deadlineMs: 10_000,
      what: 'the first job',
    });
    await on();
    for (let i = 0; i < 5; i++) await expect(queue.take(60_000)).rejects.toThrow(why);
    await expect(queue.add(smallJob(2))).rejects.toThrow(why);
    await off();
    expect(await queue.take(10_000)).toMatchObject({ deaths: 0 });
    expect(await queue.live()).toHaveLength(2);
  });

  test('a take that waits meanwhile is told when a job comes', async () => {
    const queue = open();
    expect(await queue.take(0)).toBeUndefined();
    const taking = queue.take(60_000).catch((error: Error) => error.message);
    // A marker, as another's job leaves it; it is seen once memory is short.
    await redis
      .multi()
      .zadd(`{cutline-0123456789ab}:${queue.name}:marker`, 0, '0')
      .config('SET', 'maxmemory', '1')
      .exec();
    expect(await taking).toMatch(/OOM/);
    await redis.config('SET', 'maxmemory', '0');
  });
});

describe('an outage', () => {
  test('is sat out by a take that waits', async () => {
    const queue = open();
    expect(await queue.take(0)).toBeUndefined();
    const taking = takeUntilJob(queue);
    await server.kill();
    await server.restart();
    await queue.add(smallJob());
    expect((await taking).id).toBe('r1.000000.0');
  });

  test('does not keep a worker from stopping', async () => {
    const queue = open(200);
    await queue.add(smallJob());
    await queue.take(0);
    server.pause();
    try {
      const taking = queue.take(60_000);
      await queue.stopTaking();
      expect(await taking).toBeUndefined();
    } finally {
      server.resume();
    }
  });

  test('of the connection is told of by every operation', async () => {
    const queue = open();
    await queue.add(smallJob());
    const taken = await queue.take(0);
    if (!taken) throw new Error('No job');
    redis.disconnect();
    await expect(queue.renew(taken)).rejects.toThrow(/closed/);
    await expect(queue.finish(taken)).rejects.toThrow(/closed/);
    await expect(queue.giveBack(taken, { delayMs: 0 })).rejects.toThrow(/closed/);
    await expect(queue.refuse(taken, 'no')).rejects.toThrow(/closed/);
    await expect(queue.take(60_000)).rejects.toThrow(/closed/);
    await expect(queue.add(smallJob())).rejects.toThrow(/closed/);
  });

  /** As a worker does: what is thrown is transient. */
  async function takeUntilJob(queue: JobQueue) {
    return waitFor(async () => queue.take(1_000), { deadlineMs: 20_000, what: 'a job' });
  }
});

test('a refused job tells why, to whoever looks at it', async () => {
  const queue = open();
  await queue.add(smallJob());
  const taken = await queue.take(0);
  if (!taken) throw new Error('No job');
  await queue.refuse(taken, 'not of this version');
  const key = `{cutline-0123456789ab}:${queue.name}:${taken.id}`;
  expect(await redis.hget(key, 'failedReason')).toBe('not of this version');
});
