import {
  connectRedis,
  countByOutcome,
  MemoryBoard,
  partStep,
  RedisBoard,
  type RunBoard,
  realWorld,
  runsEnlistedMax,
} from '@cutline/pipeline';
import type { PartRow } from '@cutline/shared/run';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ageKeys } from '../../../test/support/age-keys.ts';
import { startRedis } from '../../../test/support/redis-server.ts';

/** What every board does: on Redis, on a Redis Cluster, and in memory. */

interface Place {
  /** Two processes' view of the same board. */
  boards: [RunBoard, RunBoard];
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  flush(): Promise<unknown>;
  stop(): Promise<void>;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

async function onRedis(options: { cluster: boolean }): Promise<Place> {
  const server = await startRedis(options);
  const clients = [await connectRedis(server.url), await connectRedis(server.url)] as const;
  return {
    boards: [new RedisBoard(clients[0]), new RedisBoard(clients[1])],
    pass: (ms) => ageKeys(clients[0], ms),
    flush: () => clients[0].flushall(),
    async stop() {
      for (const client of clients) client.disconnect();
      await server.stop();
    },
  };
}

async function inMemory(): Promise<Place> {
  let nowMs = 0;
  const board = new MemoryBoard({ world: { ...realWorld, now: () => nowMs } });
  return {
    boards: [board, board],
    async pass(ms) {
      nowMs += ms;
    },
    flush: async () => board.flush(),
    stop: async () => {},
  };
}

describe.each([
  { name: 'on Redis', start: () => onRedis({ cluster: false }) },
  { name: 'on a Redis Cluster', start: () => onRedis({ cluster: true }) },
  { name: 'in memory', start: inMemory },
])('$name', ({ start }) => {
  let place: Place;
  let board: RunBoard;
  let other: RunBoard;

  beforeAll(async () => {
    place = await start();
    [board, other] = place.boards;
  });
  afterAll(() => place?.stop());
  beforeEach(() => place.flush());

  describe('the lock of a run', () => {
    test('is one process’s at a time, and others learn whose', async () => {
      expect(await board.owner('r')).toBeUndefined();
      expect(await board.lock('r', 'ada', minuteMs)).toBeUndefined();
      expect(await other.lock('r', 'bob', minuteMs)).toBe('ada');
      expect(await other.owner('r')).toBe('ada');
      expect(await other.lock('s', 'bob', minuteMs)).toBeUndefined();
    });

    test('is taken by one of many', async () => {
      const owners = Array.from({ length: 20 }, (_, i) => `process ${i}`);
      const answers = await Promise.all(
        owners.map((owner, i) => place.boards[i % 2]?.lock('r', owner, minuteMs)),
      );
      const winner = await board.owner('r');
      expect(answers.filter((answer) => answer === undefined)).toHaveLength(1);
      expect(answers.filter((answer) => answer === winner)).toHaveLength(19);
    });

    test('expires, unless its owner renews it', async () => {
      await board.lock('r', 'ada', 10 * minuteMs);
      await place.pass(9 * minuteMs);
      expect(await board.lock('r', 'ada', 10 * minuteMs)).toBeUndefined();
      await place.pass(9 * minuteMs);
      expect(await other.lock('r', 'bob', 10 * minuteMs)).toBe('ada'); // which renews nothing
      await place.pass(2 * minuteMs);
      expect(await board.owner('r')).toBeUndefined();
      expect(await other.lock('r', 'bob', 10 * minuteMs)).toBeUndefined();
      expect(await board.lock('r', 'ada', 10 * minuteMs)).toBe('bob');
    });

    test('can be seized, and its owner learns of it', async () => {
      expect(await other.seize('r', 'bob', minuteMs)).toBeUndefined();
      expect(await board.seize('r', 'ada', minuteMs)).toBe('bob');
      expect(await other.lock('r', 'bob', minuteMs)).toBe('ada');
      await place.pass(2 * minuteMs);
      expect(await board.owner('r')).toBeUndefined();
    });

    test('is given back by its owner alone', async () => {
      await board.lock('r', 'ada', minuteMs);
      await other.release('r', 'bob');
      expect(await board.owner('r')).toBe('ada');
      await board.release('r', 'ada');
      await board.release('r', 'ada');
      expect(await board.owner('r')).toBeUndefined();
    });
  });

  describe('the floor', () => {
    test('is not known until somebody says it', async () => {
      expect(await board.floor('r')).toBeUndefined();
      await board.raiseFloor('r', 0);
      expect(await other.floor('r')).toBe(0);
      expect(await other.floor('s')).toBeUndefined();
    });

    test('never goes down', async () => {
      await Promise.all([3, 1, 10, 2, 9].map((floor) => board.raiseFloor('r', floor)));
      expect(await board.floor('r')).toBe(10);
      await other.raiseFloor('r', 4);
      expect(await board.floor('r')).toBe(10);
    });

    test('outlives a reset of the progress, and the lock', async () => {
      await board.lock('r', 'ada', minuteMs);
      await board.raiseFloor('r', 2);
      await board.resetProgress('r');
      await board.release('r', 'ada');
      expect(await board.floor('r')).toBe(2);
    });

    test('is forgotten after thirty days', async () => {
      await board.raiseFloor('r', 2);
      await place.pass(29 * dayMs);
      expect(await board.floor('r')).toBe(2);
      await board.raiseFloor('r', 1);
      await place.pass(29 * dayMs);
      expect(await board.floor('r')).toBe(2);
      await place.pass(2 * dayMs);
      expect(await board.floor('r')).toBeUndefined();
    });
  });

  describe('runs that people watch', () => {
    const named = (n: number) => ({ run: `run-${n}`, model: 'tiny@00' });

    test('are told the latest first, each once', async () => {
      for (const n of [1, 2, 3, 1]) await board.enlist(named(n));
      expect(await other.enlisted()).toEqual([named(1), named(3), named(2)]);
    });

    test('are bounded: the oldest give way', async () => {
      for (let n = 0; n < runsEnlistedMax + 5; n += 1) await board.enlist(named(n));
      const enlisted = await other.enlisted();
      expect(enlisted).toHaveLength(runsEnlistedMax);
      expect(enlisted[0]).toEqual(named(runsEnlistedMax + 4));
    });

    test('are gone once they are struck out', async () => {
      for (const n of [1, 2]) await board.enlist(named(n));
      await other.delist(named(2));
      await other.delist(named(9));
      expect(await board.enlisted()).toEqual([named(1)]);
    });
  });

  describe('progress', () => {
    test('knows when it was last counted', async () => {
      expect(await board.idleMs('r')).toBeUndefined();
      await board.count('r', 'listed twice', {});
      await board.setProgress('r', { listed: 3 });
      expect(await board.idleMs('r')).toBeUndefined();
      await board.count('r', 'part:0.0', { captioned: 3 });
      expect(await other.idleMs('r')).toBeLessThan(minuteMs);
      await board.resetProgress('r');
      expect(await other.idleMs('r')).toBeUndefined();
    });

    const failure = (failureClass: 'corrupt' | 'not-found'): PartRow => ({
      ...{ key: 'x', etag: null, status: 'failed' },
      failure: { class: failureClass, message: '' },
    });
    const rows: PartRow[] = [
      failure('corrupt'),
      { key: 'y', etag: null, status: 'skipped', reason: 'duplicate' },
      failure('not-found'),
      failure('corrupt'),
    ];

    test('of an unknown run there is none', async () => {
      expect(await board.progress('r')).toBeUndefined();
    });

    test('counts a step once, however often and however many do it', async () => {
      const step = partStep({ batch: 3, attempt: '0' });
      const counted = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          place.boards[i % 2]?.count('r', step, countByOutcome(rows)),
        ),
      );
      expect(counted.filter(Boolean)).toHaveLength(1);
      expect(await board.progress('r')).toEqual({
        listed: 0,
        listingComplete: 0,
        enqueued: 0,
        encoded: 0,
        captioned: 0,
        skipped: 1,
        failed: 3,
        failedByClass: { corrupt: 2, 'not-found': 1 },
      });
    });

    test('tells all batches, kinds, attempts and runs apart', async () => {
      const batches = [...Array(130).keys(), 999_949, 999_950, 123_456_789];
      const steps = ['encode', 'part'].flatMap((kind) =>
        ['0', '0r', '1', '10'].flatMap((attempt) =>
          batches.map((batch) => `${kind}:${batch}.${attempt}`),
        ),
      );
      const countAll = (run: string) =>
        Promise.all(steps.map((step) => board.count(run, step, { captioned: 2 })));
      const news = (answers: boolean[]) => answers.filter(Boolean).length;
      expect(news(await countAll('r'))).toBe(steps.length);
      expect(news(await countAll('r'))).toBe(0);
      expect(news(await countAll('s'))).toBe(steps.length);
      for (const run of ['r', 's']) {
        expect(await board.progress(run)).toMatchObject({ captioned: 2 * steps.length });
      }
    });

    test('takes steps of any name, and without anything to count', async () => {
      expect(await board.count('r', 'listed twice', {})).toBe(true);
      expect(await board.count('r', 'listed twice', { encoded: 5 })).toBe(false);
      expect(await board.progress('r')).toBeUndefined();
      expect(await board.count('r', 'encode:0.0', { encoded: 0, failed: undefined })).toBe(true);
      expect(await board.count('r', 'encode:0.0', { encoded: 5 })).toBe(false);
      expect(await board.progress('r')).toMatchObject({ encoded: 0, failed: 0 });
    });

    test('has what the producer counts itself, and leaves the rest as it is', async () => {
      await board.count('r', 'part:0.0', { captioned: 64 });
      await board.setProgress('r', { listed: 100, listingComplete: 0, enqueued: 64 });
      await board.setProgress('r', { listed: 120, listingComplete: 1, enqueued: 120 });
      await board.setProgress('r', {});
      const progress = { listed: 120, listingComplete: 1, enqueued: 120, captioned: 64 };
      expect(await other.progress('r')).toMatchObject(progress);
      await board.setProgress('r', { listed: undefined, enqueued: 0 });
      expect(await other.progress('r')).toMatchObject({ ...progress, enqueued: 0 });
    });

    test('setting nothing of a run makes it no better known', async () => {
      await board.setProgress('r', {});
      expect(await board.progress('r')).toBeUndefined();
    });

    test('is counted anew after a reset', async () => {
      await board.count('r', 'part:0.0', { captioned: 64 });
      await board.count('s', 'part:0.0', { captioned: 64 });
      await board.resetProgress('r');
      expect(await board.progress('r')).toBeUndefined();
      expect(await board.count('r', 'part:0.0', { captioned: 64 })).toBe(true);
      expect((await board.progress('r'))?.captioned).toBe(64);
      expect(await board.count('s', 'part:0.0', { captioned: 64 })).toBe(false);
    });

    test('says of a run that has ended what its summary says, and keeps no steps', async () => {
      await board.setProgress('r', { listed: 100, listedBytes: 900, listingComplete: 1 });
      await board.count('r', 'part:0.0', { captioned: 64 });
      await board.endProgress('r', { listed: 100, captioned: 99, failed: 1, 'failed:corrupt': 1 });
      const progress = await other.progress('r');
      expect(progress).toMatchObject({ listed: 100, listedBytes: 900, captioned: 99, failed: 1 });
      expect(progress?.failedByClass).toEqual({ corrupt: 1 });
      expect(await board.count('r', 'part:0.0', {})).toBe(true);
    });

    test('is forgotten thirty days after it moved last, and the steps with it', async () => {
      await board.count('r', 'part:0.0', { captioned: 64 });
      await place.pass(29 * dayMs);
      await board.count('r', 'part:1.0', { captioned: 64 });
      await place.pass(29 * dayMs);
      expect(await board.count('r', 'part:0.0', { captioned: 64 })).toBe(false);
      expect((await board.progress('r'))?.captioned).toBe(128);
      await place.pass(2 * dayMs);
      expect(await board.progress('r')).toBeUndefined();
      expect(await board.count('r', 'part:0.0', { captioned: 64 })).toBe(true);
    });
  });

  describe('trials of a suspect', () => {
    test('are those that nobody ended', async () => {
      expect(await board.beginTrial('encode:r.000000.0')).toBe(0);
      expect(await other.beginTrial('encode:r.000000.0')).toBe(1);
      expect(await board.beginTrial('decode:r.000000.0')).toBe(0);
      await other.endTrial('encode:r.000000.0');
      await other.endTrial('encode:r.000000.0');
      expect(await board.beginTrial('encode:r.000000.0')).toBe(0);
      expect(await board.beginTrial('decode:r.000000.0')).toBe(1);
    });

    test('are numbered one by one', async () => {
      const begun = await Promise.all(Array.from({ length: 20 }, () => board.beginTrial('x')));
      expect(begun.toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
    });

    test('are forgotten seven days after the last', async () => {
      await board.beginTrial('x');
      await place.pass(6 * dayMs);
      expect(await board.beginTrial('x')).toBe(1);
      await place.pass(6 * dayMs);
      expect(await board.beginTrial('x')).toBe(2);
      await place.pass(8 * dayMs);
      expect(await board.beginTrial('x')).toBe(0);
    });
  });

  test('all may be lost at any time', async () => {
    await board.lock('r', 'ada', minuteMs);
    await board.raiseFloor('r', 2);
    await board.count('r', 'part:0.0', { captioned: 64 });
    await board.beginTrial('x');
    await place.flush();
    expect(await board.owner('r')).toBeUndefined();
    expect(await board.floor('r')).toBeUndefined();
    expect(await board.progress('r')).toBeUndefined();
    expect(await board.count('r', 'part:0.0', { captioned: 64 })).toBe(true);
    expect(await board.beginTrial('x')).toBe(0);
  });
});
