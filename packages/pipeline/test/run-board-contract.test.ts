import {
  countByOutcome,
  MemoryBoard,
  partStep,
  progressOf,
  RedisBoard,
  type RunBoard,
} from '@cutline/pipeline';
import type { PartRow } from '@cutline/shared/run';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  memorySetting,
  type RedisSetting,
  type Setting,
  startRedisSetting,
} from './support/contract-setting.ts';

/** What every board does. */

interface BoardSetting extends Setting {
  /** As another process opens it: the same board. */
  open(): Promise<RunBoard>;
}

const failure = (failureClass: 'corrupt' | 'not-found'): PartRow => ({
  key: 'x',
  etag: null,
  status: 'failed',
  failure: { class: failureClass, message: '' },
});
const rows: PartRow[] = [
  failure('corrupt'),
  { key: 'y', etag: null, status: 'skipped', reason: 'duplicate' },
  failure('not-found'),
  failure('corrupt'),
];

/** Longer than any test takes. */
const ttlMs = 600_000;

function contract(start: () => Promise<BoardSetting>): void {
  let setting: BoardSetting;
  let board: RunBoard;
  let other: RunBoard;

  beforeEach(async () => {
    setting = await start();
    board = await setting.open();
    other = await setting.open();
  });

  describe('the lock of a run', () => {
    test('is one process’s, who can keep it, and others are told whose', async () => {
      expect(await board.owner('r')).toBeUndefined();
      expect(await board.lock('r', 'a', ttlMs)).toBeUndefined();
      expect(await other.lock('r', 'b', ttlMs)).toBe('a');
      expect(await board.lock('r', 'a', ttlMs)).toBeUndefined();
      expect(await other.owner('r')).toBe('a');
    });

    test('is got by one of many who want it at once', async () => {
      const owners = Array.from({ length: 20 }, (_, n) => `owner ${n}`);
      const answers = await Promise.all(
        owners.map((owner, n) => (n % 2 ? board : other).lock('r', owner, ttlMs)),
      );
      const winner = owners[answers.indexOf(undefined)];
      expect(answers.filter((answer) => answer === undefined)).toHaveLength(1);
      expect(new Set(answers)).toEqual(new Set([undefined, winner]));
      expect(await board.owner('r')).toBe(winner);
    });

    test('is of that run alone', async () => {
      await board.lock('r', 'a', ttlMs);
      expect(await board.lock('r2', 'b', ttlMs)).toBeUndefined();
    });

    test('is given back by its owner, and by nobody else', async () => {
      await board.lock('r', 'a', ttlMs);
      await other.release('r', 'b');
      expect(await board.owner('r')).toBe('a');
      await board.release('r', 'a');
      await board.release('r', 'a');
      expect(await other.lock('r', 'b', ttlMs)).toBeUndefined();
    });

    test('falls to others when its owner does not renew it', async () => {
      await board.lock('r', 'a', 50);
      await setting.until('the lock to expire', async () => !(await other.owner('r')));
      expect(await other.lock('r', 'b', ttlMs)).toBeUndefined();
      expect(await board.lock('r', 'a', ttlMs)).toBe('b');
    });

    test('is kept for its whole time anew by whoever renews it', async () => {
      await board.lock('r', 'a', 50);
      await board.lock('r', 'a', ttlMs);
      await setting.pass(100);
      expect(await other.owner('r')).toBe('a');
    });

    test('is seized from whoever has it, who then has it no more', async () => {
      expect(await board.seize('r', 'c', ttlMs)).toBeUndefined();
      expect(await other.seize('r', 'd', ttlMs)).toBe('c');
      expect(await board.lock('r', 'c', ttlMs)).toBe('d');
      await board.release('r', 'c');
      expect(await board.owner('r')).toBe('d');
    });
  });

  describe('the floor of a run', () => {
    test('is unknown until somebody tells it', async () => {
      expect(await board.floor('r')).toBeUndefined();
      await board.raiseFloor('r', 0);
      expect(await other.floor('r')).toBe(0);
      expect(await board.floor('r2')).toBeUndefined();
    });

    test('is raised, and never lowered', async () => {
      for (const floor of [2, 12, 3]) await board.raiseFloor('r', floor);
      expect(await other.floor('r')).toBe(12);
      await board.raiseFloor('gone', Number.MAX_SAFE_INTEGER);
      expect(await board.floor('gone')).toBe(Number.MAX_SAFE_INTEGER);
    });
  });

  describe('the progress of a run', () => {
    test('is unknown where nobody has counted anything', async () => {
      expect(await board.progress('r')).toBeUndefined();
    });

    test('counts a step once, however often and however many do it', async () => {
      const step = partStep({ batch: 3, attempt: '0' });
      const counted = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 ? board : other).count('r', step, countByOutcome(rows)),
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

    test('counts other steps, attempts and runs by themselves', async () => {
      const count = (run: string, step: string) => board.count(run, step, { captioned: 2 });
      expect(await count('r', partStep({ batch: 3, attempt: '0' }))).toBe(true);
      expect(await count('r', partStep({ batch: 3, attempt: '0r' }))).toBe(true);
      expect(await count('r', partStep({ batch: 4, attempt: '0' }))).toBe(true);
      expect(await count('r', 'encode:3.0')).toBe(true);
      expect(await count('s', partStep({ batch: 3, attempt: '0' }))).toBe(true);
      expect((await board.progress('r'))?.captioned).toBe(8);
      expect((await board.progress('s'))?.captioned).toBe(2);
    });

    test('tells the steps of any number of batches apart', async () => {
      const batches = [...Array.from({ length: 210 }, (_, n) => n), 999_999, 1_000_049, 1_000_050];
      for (let time = 0; time < 2; time++) {
        for (const batch of batches) {
          const step = partStep({ batch, attempt: '12ra' });
          expect(await board.count('r', step, { captioned: 1 }), step).toBe(time === 0);
        }
      }
      expect((await board.progress('r'))?.captioned).toBe(batches.length);
    });

    test('takes a step without anything to count for a step as well', async () => {
      expect(await board.count('r', 'encode:0.0', { encoded: 0 })).toBe(true);
      expect(await board.count('r', 'encode:0.0', { encoded: 5 })).toBe(false);
      expect(await board.count('r', 'encode:1.0', {})).toBe(true);
      expect(await board.count('r', 'encode:1.0', { encoded: 5 })).toBe(false);
      expect((await board.progress('r'))?.encoded).toBe(0);
    });

    test('is set to what the producer counts itself, and the rest stays as it is', async () => {
      await board.count('r', 'part:0.0', { captioned: 64 });
      await board.setProgress('r', { listed: 100, listingComplete: 0, enqueued: 64 });
      await board.setProgress('r', { listed: 120, listingComplete: 1, enqueued: 120 });
      expect(await other.progress('r')).toMatchObject({
        listed: 120,
        listingComplete: 1,
        enqueued: 120,
        captioned: 64,
      });
    });

    test('is forgotten by a reset: every step counts anew', async () => {
      await board.count('r', 'part:0.0', { captioned: 64 });
      await board.lock('r', 'a', ttlMs);
      await board.raiseFloor('r', 2);
      await board.resetProgress('r');
      expect(await other.progress('r')).toBeUndefined();
      expect(await board.owner('r')).toBe('a');
      expect(await board.floor('r')).toBe(2);
      expect(await board.count('r', 'part:0.0', { captioned: 64 })).toBe(true);
      expect((await board.progress('r'))?.captioned).toBe(64);
    });
  });

  test('trials of a suspect are counted until one ends well', async () => {
    expect(await board.beginTrial('r.000001.0')).toBe(0);
    expect(await other.beginTrial('r.000001.0')).toBe(1);
    expect(await board.beginTrial('r.000002.0')).toBe(0);
    await board.endTrial('r.000001.0');
    await board.endTrial('never-begun');
    expect(await other.beginTrial('r.000001.0')).toBe(0);
    expect(await other.beginTrial('r.000002.0')).toBe(1);
  });
}

describe('MemoryBoard', () => {
  contract(async () => {
    const setting = memorySetting();
    const board = new MemoryBoard(setting);
    return { ...setting, open: async () => board };
  });

  test('keeps a run that nobody touches for a month, and not for ever', async () => {
    const setting = memorySetting();
    const board = new MemoryBoard(setting);
    await board.count('r', 'part:0.0', { captioned: 64 });
    await board.raiseFloor('r', 1);
    await setting.pass(29 * 24 * 3_600_000);
    expect(await board.progress('r')).toBeDefined();
    expect(await board.floor('r')).toBe(1);
    await setting.pass(2 * 24 * 3_600_000);
    expect(await board.progress('r')).toBeUndefined();
    expect(await board.floor('r')).toBeUndefined();
  });
});

describe('RedisBoard', () => {
  let setting: RedisSetting;

  beforeAll(async () => {
    setting = await startRedisSetting();
  });
  afterAll(() => setting?.stop());
  beforeEach(() => setting.redis.flushall());

  contract(async () => ({
    ...setting,
    open: async () => new RedisBoard(await setting.connect()),
  }));

  test('leaves nothing in Redis for ever, and the keys of a run on one node', async () => {
    const { redis } = setting;
    const board = new RedisBoard(redis);
    await board.lock('r', 'a', ttlMs);
    await board.raiseFloor('r', 1);
    await board.count('r', 'part:0.0', { captioned: 64 });
    await board.setProgress('r', { listed: 100 });
    const keys = await redis.keys('*');
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(key).toMatch(/^cutline:\{run:r\}:/);
    await board.beginTrial('r.000000.0');
    for (const key of await redis.keys('*')) expect(await redis.ttl(key), key).toBeGreaterThan(0);
  });
});

test('rows are counted by what became of them, and failures by their class too', () => {
  expect(countByOutcome(rows)).toEqual({
    failed: 3,
    'failed:corrupt': 2,
    'failed:not-found': 1,
    skipped: 1,
  });
});

test('a finished run has the progress that its summary tells', () => {
  const summary = {
    format: 2 as const,
    run: 'r',
    generation: 0,
    images: 10,
    captioned: 7,
    skipped: 1,
    failed: 2,
    skippedByReason: { duplicate: 1 },
    failedByClass: { corrupt: 2 },
    chunks: 1,
    parts: 1,
    model: 'm',
    created: '',
    finished: '',
    imagesPerSecond: 1,
    retried: null,
  };
  expect(progressOf(summary)).toEqual({
    listed: 10,
    listingComplete: 1,
    enqueued: 10,
    encoded: 7,
    captioned: 7,
    skipped: 1,
    failed: 2,
    failedByClass: { corrupt: 2 },
  });
});
