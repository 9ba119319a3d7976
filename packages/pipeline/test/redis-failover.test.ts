import { connectRedis, logOutages, openBullQueue, realWorld } from '@cutline/pipeline';
import type { Logger } from '@cutline/shared/process';
import { afterEach, expect, test } from 'vitest';
import type { RedisServer } from '../../../test/support/redis-server.ts';
import {
  command,
  type Passage,
  type Sentinel,
  startPair,
  startPassage,
  startSentinel,
} from '../../../test/support/redis-topologies.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { smallJob } from './support/example-jobs.ts';

/** Failovers between real servers, under a queue and a worker that wants its jobs. */

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function startTwo(): Promise<{ master: RedisServer; replica: RedisServer }> {
  const pair = await startPair();
  stops.push(() => Promise.all([pair.master.stop(), pair.replica.stop()]));
  return pair;
}

/** The replica becomes the master, of all that the master had, and the master its replica. */
async function changeRoles(master: RedisServer, replica: RedisServer, passage?: Passage) {
  await waitFor(async () => (await offset(master)) === (await offset(replica)), {
    deadlineMs: 5_000,
    what: 'the replica to have it all',
  });
  await command(replica.port, 'REPLICAOF', 'NO', 'ONE');
  passage?.lead(replica.port);
  await command(master.port, 'REPLICAOF', '127.0.0.1', replica.port);
}

async function offset(server: RedisServer): Promise<string | undefined> {
  return /^master_repl_offset:(\d+)/m.exec(
    String(await command(server.port, 'INFO', 'replication')),
  )?.[1];
}

/** A queue whose jobs a worker takes, both on this connection and on duplicates of it. */
async function openQueue(url: string) {
  const redis = await connectRedis(url);
  const told: string[] = [];
  const log = { warn: (...args: unknown[]) => void told.push(String(args.at(-1))) };
  logOutages(redis, log as unknown as Logger);
  const open = {
    stage: 'encode',
    model: 'tiny@abc',
    redis,
    lockMs: 30_000,
    world: realWorld,
  } as const;
  const queue = openBullQueue(open);
  const worker = openBullQueue(open);
  const done: number[] = [];
  const errors: unknown[] = [];
  let isOver = false;
  const work = async () => {
    const taken = await worker.take(1_000);
    if (taken && (await worker.finish(taken))) done.push((taken.data as { batch: number }).batch);
  };
  const working = (async () => {
    while (!isOver) await work().catch((error) => errors.push(error));
  })();
  stops.push(async () => {
    isOver = true;
    await worker.close();
    redis.disconnect();
    await working;
    await queue.close();
  });
  const add = (n: number) => queue.addNew(smallJob(n));
  return { redis, add, done, told, errors };
}

const numbers = Array.from({ length: 30 }, (_, n) => n);

async function allDone(done: readonly number[]): Promise<void> {
  await waitFor(() => new Set(done).size === numbers.length, {
    deadlineMs: 10_000,
    what: 'all jobs to be done',
  });
}

test('connections that were open to a master that is a replica now follow to the new one', async () => {
  const { master, replica } = await startTwo();
  const passage = await startPassage(master.port);
  stops.push(() => passage.stop());
  const { redis, add, done, told, errors } = await openQueue(`redis://127.0.0.1:${passage.port}`);
  for (const n of numbers.slice(0, 10)) await add(n);
  await waitFor(() => done.length === 10, { deadlineMs: 5_000, what: 'the first jobs' });
  expect(passage.made(replica.port)).toBe(0);

  await changeRoles(master, replica, passage);
  const started = performance.now();
  const added = await Promise.all(numbers.slice(10).map(add));
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(added).toHaveLength(20);
  await allDone(done);

  // Ours, and the one on which the worker waits for jobs.
  await waitFor(() => passage.made(replica.port) >= 2, {
    deadlineMs: 5_000,
    what: 'both connections to follow',
  });
  expect(errors).toEqual([]);
  expect(await redis.info('replication')).toMatch(/^role:master/m);
  await waitFor(() => told.length === 2, { deadlineMs: 5_000, what: 'the end of the outage' });
  expect(told).toEqual(['Redis is gone: waiting for it to come back', 'Redis is back']);
});

test('as long as the address leads to the replica, commands wait, in what is one outage', async () => {
  const { master, replica } = await startTwo();
  const passage = await startPassage(master.port);
  stops.push(() => passage.stop());
  const { add, told } = await openQueue(`redis://127.0.0.1:${passage.port}`);
  await changeRoles(master, replica);
  const before = passage.made(master.port);
  const added = add(0);
  await waitFor(() => passage.made(master.port) >= before + 6, {
    deadlineMs: 10_000,
    what: 'some tries',
  });
  expect(told).toEqual(['Redis is gone: waiting for it to come back']);
  passage.lead(replica.port);
  expect(await added).toBe(true);
});

test('sentinels say who the master is, also when it is another', async () => {
  const { master, replica } = await startTwo();
  const sentinel: Sentinel = await startSentinel(master.port);
  stops.push(() => sentinel.stop());
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`;
  const { redis, add, done } = await openQueue(url);
  expect(redis.options.sentinels).toHaveLength(1);
  for (const n of numbers.slice(0, 10)) await add(n);
  await waitFor(() => done.length === 10, { deadlineMs: 5_000, what: 'the first jobs' });
  await sentinel.failOver();
  const during = numbers.slice(10, 20).map(add);
  await waitFor(
    async () => String(await command(replica.port, 'INFO', 'replication')).includes('role:master'),
    { deadlineMs: 10_000, what: 'the failover' },
  );
  await Promise.all(during);
  await waitFor(
    async () => String(await command(master.port, 'INFO', 'replication')).includes('role:slave'),
    { deadlineMs: 15_000, what: 'the old master to follow' },
  );
  for (const n of numbers.slice(20)) await add(n);
  await waitFor(() => numbers.slice(20).every((n) => done.includes(n)), {
    deadlineMs: 10_000,
    what: 'the jobs that were added to the new master',
  });
  expect(await command(replica.port, 'DBSIZE')).toBeGreaterThan(0);
});

test('what sentinels do not know is said at the start', async () => {
  const { master } = await startTwo();
  const sentinel = await startSentinel(master.port);
  stops.push(() => sentinel.stop());
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/other`;
  await expect(connectRedis(url, { deadlineMs: 500 })).rejects.toThrow(
    /^The sentinels at .* know no master "other": correct --redis/,
  );
});

test('a replica is refused, and its master is named', async () => {
  const { master, replica } = await startTwo();
  await expect(connectRedis(replica.url)).rejects.toThrow(
    new RegExp(
      `is a replica, which takes no writes: name its master \\(127.0.0.1:${master.port}\\)`,
    ),
  );
});
