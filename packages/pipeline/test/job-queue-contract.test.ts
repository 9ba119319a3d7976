import {
  type EncodeJob,
  type JobQueue,
  MemoryQueue,
  MemoryQueueServer,
  openQueues,
  type TakenJob,
} from '@cutline/pipeline';
import { jobId } from '@cutline/shared/run';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  memorySetting,
  type RedisSetting,
  type Setting,
  startRedisSetting,
} from './support/contract-setting.ts';
import { encodeJob } from './support/example-jobs.ts';

/** What every job queue does, whatever it stands on. */

interface QueueSetting extends Setting {
  /** A handle of a process of its own. */
  open(options?: { lockMs?: number }): JobQueue<EncodeJob>;
}

/** Longer than any test takes. */
const lockMsDefault = 120_000;

const job = (batch = 0, attempt = '0', run = 'r1') => encodeJob({ run, batch, attempt });

function contract(start: () => Promise<QueueSetting>): void {
  let setting: QueueSetting;
  let queue: JobQueue<EncodeJob>;
  let opened: JobQueue<EncodeJob>[];

  const open: QueueSetting['open'] = (options) => {
    const handle = setting.open(options);
    opened.push(handle);
    return handle;
  };

  beforeEach(async () => {
    setting = await start();
    opened = [];
    queue = open();
  });
  afterEach(() => Promise.all(opened.map((each) => each.close())));

  /** What comes next, within a while. */
  const take = (from = queue): Promise<TakenJob> =>
    setting.until('a job to take', () => from.take(0));

  const ids = async (run?: string) => (await queue.live(run)).map(jobId).toSorted();

  /** Takes a job, and shows no sign of life from then on. */
  async function die(): Promise<{ dead: JobQueue<EncodeJob>; held: TakenJob }> {
    const dead = open({ lockMs: 200 });
    const held = await take(dead);
    await setting.until('the job to be put back', async () => (await queue.counts()).waiting === 1);
    return { dead, held };
  }

  test('is named for its stage and the model', () => {
    expect(queue.name).toBe('cutline-encode-0123456789ab');
  });

  describe('a job that is added', () => {
    test('is there once, however often; attempts at a batch are jobs of their own', async () => {
      const added = await Promise.all(Array.from({ length: 5 }, () => queue.add(job())));
      expect(added.filter(Boolean)).toHaveLength(1);
      expect(await queue.add(job(0, '0r'))).toBe(true);
      expect(await ids()).toEqual(['r1.000000.0', 'r1.000000.0r']);
      expect(await queue.counts()).toEqual({ waiting: 2, delayed: 0, active: 0, failed: 0 });
    });

    test('keeps the data that it was added with first', async () => {
      await queue.add(job());
      expect(await queue.add({ ...job(), model: 'other@000000000000' })).toBe(false);
      expect((await take()).data).toEqual(job());
    });

    test('is not added again while it is delayed, in hand, finished a moment ago, or refused', async () => {
      await queue.add(job(0), { delayMs: 60_000 });
      expect(await queue.add(job(0))).toBe(false);
      expect(await queue.counts()).toMatchObject({ waiting: 0, delayed: 1 });
      await queue.add(job(1));
      const first = await take();
      expect(await queue.add(job(1))).toBe(false);
      await queue.finish(first);
      expect(await queue.add(job(1))).toBe(false);
      await queue.add(job(2));
      await queue.refuse(await take(), 'not of this version');
      expect(await queue.add(job(2))).toBe(false);
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 1, active: 0, failed: 1 });
    });

    test('can be taken by another process, with all its data', async () => {
      await queue.add(job(7));
      const taken = await take(open());
      expect(taken).toMatchObject({ id: 'r1.000007.0', data: job(7), deaths: 0, givenBack: 0 });
    });

    test('waits for as long as it is told to, while others go first', async () => {
      await queue.add(job(0), { delayMs: 300 });
      await queue.add(job(1));
      expect(await queue.counts()).toMatchObject({ waiting: 1, delayed: 1 });
      const added = setting.world.now();
      expect((await take()).id).toBe(jobId(job(1)));
      expect((await take()).id).toBe(jobId(job(0)));
      expect(setting.world.now() - added).toBeGreaterThanOrEqual(250);
    });
  });

  describe('taking', () => {
    test('gives the job that has waited longest, and each to one process only', async () => {
      for (let batch = 0; batch < 6; batch++) await queue.add(job(batch));
      const other = open();
      const taken: string[] = [];
      for (let i = 0; i < 3; i++) taken.push((await take()).id, (await take(other)).id);
      expect(taken).toEqual([0, 1, 2, 3, 4, 5].map((batch) => jobId(job(batch))));
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 6, failed: 0 });
      expect(await queue.take(0)).toBeUndefined();
    });

    test('waits for a job to be added', async () => {
      const taking = queue.take(60_000);
      await setting.pass(50);
      await open().add(job(3));
      expect((await taking)?.id).toBe(jobId(job(3)));
    });

    test('waits for a job that is delayed', async () => {
      await queue.add(job(3), { delayMs: 200 });
      const taking = queue.take(60_000);
      await setting.pass(200);
      expect((await taking)?.id).toBe(jobId(job(3)));
    });

    test('gives up after as long as it was told to wait', async () => {
      const started = setting.world.now();
      const taking = queue.take(300);
      await setting.pass(300);
      expect(await taking).toBeUndefined();
      const waited = setting.world.now() - started;
      expect(waited).toBeGreaterThanOrEqual(290);
      expect(waited).toBeLessThan(4_000);
    });

    test('tells how long the job has waited since it could have been taken first', async () => {
      await queue.add(job(0), { delayMs: 100 });
      const added = setting.world.now();
      await setting.until('the delay to end', async () => setting.world.now() - added >= 500);
      const taken = await take();
      const waited = setting.world.now() - added;
      expect(taken.waitedMs).toBeGreaterThanOrEqual(300);
      expect(taken.waitedMs).toBeLessThanOrEqual(waited - 90);
      await queue.giveBack(taken, { delayMs: 100 });
      expect((await take()).waitedMs).toBeGreaterThanOrEqual(taken.waitedMs + 90);
    });

    test('ends when it is told to stop, at once, also one that waits', async () => {
      const taking = queue.take(60_000);
      await setting.pass(50);
      await queue.stopTaking();
      expect(await taking).toBeUndefined();
      await queue.add(job());
      expect(await queue.take(60_000)).toBeUndefined();
      expect((await take(open())).id).toBe(jobId(job()));
    });

    test('of jobs in hand goes on to their end when no more are taken', async () => {
      await queue.add(job());
      const taken = await take();
      await queue.stopTaking();
      expect(await queue.renew(taken)).toBe(true);
      expect(await queue.finish(taken)).toBe(true);
    });
  });

  describe('a job in hand', () => {
    test('is finished, and gone', async () => {
      await queue.add(job());
      const taken = await take();
      expect(await queue.renew(taken)).toBe(true);
      expect(await ids()).toEqual([jobId(job())]);
      expect(await queue.finish(taken)).toBe(true);
      expect(await ids()).toEqual([]);
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 0 });
    });

    test('is nobody’s any more when it was finished', async () => {
      await queue.add(job());
      const taken = await take();
      await queue.finish(taken);
      expect(await queue.renew(taken)).toBe(false);
      expect(await queue.finish(taken)).toBe(false);
      expect(await queue.giveBack(taken, { delayMs: 0 })).toBe(false);
      expect(await queue.refuse(taken, 'why')).toBe(false);
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 0 });
    });

    test('is given back for later, to whoever takes it then, who is told so', async () => {
      await queue.add(job());
      for (const [givenBack, holder] of [queue, open(), queue].entries()) {
        const taken = await take(holder);
        expect(taken).toMatchObject({ id: jobId(job()), data: job(), givenBack, deaths: 0 });
        expect(await holder.giveBack(taken, { delayMs: 100 })).toBe(true);
        expect(await holder.renew(taken)).toBe(false);
        expect(await holder.finish(taken)).toBe(false);
      }
      expect(await ids()).toEqual([jobId(job())]);
    });

    test('is refused: put aside, and never taken again', async () => {
      await queue.add(job());
      expect(await queue.refuse(await take(), 'not of this version')).toBe(true);
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 1 });
      expect(await ids()).toEqual([]);
      expect(await queue.take(0)).toBeUndefined();
    });

    test('stays in hand for as long as its lock is renewed', async () => {
      const holder = open({ lockMs: 2_000 });
      await queue.add(job());
      const taken = await take(holder);
      for (let i = 0; i < 12; i++) {
        await setting.pass(250);
        expect(await holder.renew(taken)).toBe(true);
      }
      expect(await queue.counts()).toMatchObject({ waiting: 0, active: 1 });
      expect(await holder.finish(taken)).toBe(true);
    });

    test('is taken again when its worker shows no sign of life, which is told', async () => {
      await queue.add(job());
      for (let deaths = 0; deaths < 2; deaths++) {
        const { held } = await die();
        expect(held).toMatchObject({ id: jobId(job()), deaths, givenBack: 0 });
      }
      const taken = await take();
      expect(taken).toMatchObject({ id: jobId(job()), data: job(), deaths: 2, givenBack: 0 });
    });

    test('is lost to a worker that comes back to life: nothing that it does has an effect', async () => {
      await queue.add(job());
      const { dead, held } = await die();
      const ineffective = async () => {
        expect(await dead.renew(held)).toBe(false);
        expect(await dead.finish(held)).toBe(false);
        expect(await dead.giveBack(held, { delayMs: 0 })).toBe(false);
        expect(await dead.refuse(held, 'why')).toBe(false);
      };
      await ineffective(); // while it waits
      const taken = await take();
      await ineffective(); // while another has it
      expect(await queue.renew(taken)).toBe(true);
      expect(await queue.finish(taken)).toBe(true);
      await ineffective(); // when it is done
      expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 0 });
    });

    test('stays so when its worker disconnects, until the lock expires', async () => {
      await queue.add(job());
      const holder = open();
      await take(holder);
      await holder.close();
      expect(await queue.counts()).toMatchObject({ waiting: 0, active: 1 });
      expect(await queue.take(0)).toBeUndefined();
    });
  });

  describe('live attempts', () => {
    test('are those that jobs hold: waiting, delayed or in hand; of one run, or of all', async () => {
      await queue.add(job(1));
      await take();
      await queue.add(job(2, '0r'), { delayMs: 60_000 });
      await queue.add(job(3, '0a'));
      await queue.add(job(4, '0', 'r11'));
      expect(await ids('r1')).toEqual(['r1.000001.0', 'r1.000002.0r', 'r1.000003.0a']);
      expect(await ids('r11')).toEqual(['r11.000004.0']);
      expect(await ids('r')).toEqual([]);
      expect(await ids()).toHaveLength(4);
    });

    test('are all of them, be they many', async () => {
      for (let batch = 0; batch < 300; batch++) await queue.add(job(batch));
      expect(await queue.live('r1')).toHaveLength(300);
    });

    test('are none where there are no jobs', async () => {
      expect(await queue.live()).toEqual([]);
    });
  });

  describe('a job is removed', () => {
    test('that waits, is delayed, or is not there', async () => {
      await queue.add(job(0));
      await queue.add(job(1), { delayMs: 60_000 });
      for (const batch of [0, 1, 2]) expect(await queue.remove(jobId(job(batch)))).toBe(true);
      expect(await ids()).toEqual([]);
      expect(await queue.take(0)).toBeUndefined();
    });

    test('but not one in hand, which nothing happens to', async () => {
      await queue.add(job());
      const taken = await take();
      expect(await queue.remove(taken.id)).toBe(false);
      expect(await ids()).toEqual([taken.id]);
      expect(await queue.finish(taken)).toBe(true);
    });

    test('that was in the hand of a worker which died: it is told when it comes back', async () => {
      await queue.add(job());
      const { dead, held } = await die();
      expect(await queue.remove(held.id)).toBe(true);
      expect(await dead.renew(held)).toBe(false);
      expect(await dead.finish(held)).toBe(false);
      expect(await ids()).toEqual([]);
    });

    test.each(['finished', 'refused'] as const)(
      'that was %s: it is forgotten, and can be added again',
      async (end) => {
        await queue.add(job());
        const taken = await take();
        if (end === 'finished') await queue.finish(taken);
        else await queue.refuse(taken, 'why');
        expect(await queue.remove(taken.id)).toBe(true);
        expect(await queue.counts()).toMatchObject({ failed: 0 });
        expect(await queue.add(job())).toBe(true);
        expect((await take()).data).toEqual(job());
      },
    );
  });

  test('the oldest job that waits is told of, by when it was added', async () => {
    expect(await queue.oldestWaiting()).toBeUndefined();
    await queue.add(job(9), { delayMs: 600_000 });
    expect(await queue.oldestWaiting()).toBeUndefined();
    const [before] = [setting.world.now(), await queue.add(job(0))];
    const after = setting.world.now();
    await setting.pass(50);
    await queue.add(job(1));
    expect(await queue.oldestWaiting()).toBeGreaterThanOrEqual(before);
    expect(await queue.oldestWaiting()).toBeLessThanOrEqual(after);
    await take();
    expect(await queue.oldestWaiting()).toBeGreaterThanOrEqual(after + 40);
    await take();
    expect(await queue.oldestWaiting()).toBeUndefined();
  });

  test('workers are those who take jobs, until they disconnect', async () => {
    expect(await queue.workers()).toBe(0);
    const [a, b] = [open(), open()];
    for (const each of [a, b]) await each.take(0);
    await setting.until('two workers', async () => (await queue.workers()) === 2);
    await a.close();
    await setting.until('one worker', async () => (await queue.workers()) === 1);
  });
}

describe('MemoryQueue', () => {
  contract(async () => {
    const setting = memorySetting();
    const server = new MemoryQueueServer('cutline-encode-0123456789ab', setting.world);
    return {
      ...setting,
      open: ({ lockMs = lockMsDefault } = {}) => new MemoryQueue(server, { lockMs }),
    };
  });
});

describe('BullQueue', () => {
  let setting: RedisSetting;
  const model = 'tiny@0123456789ab';

  beforeAll(async () => {
    setting = await startRedisSetting();
  });
  afterAll(() => setting?.stop());

  const open = ({ lockMs = lockMsDefault } = {}, of = model) =>
    openQueues({ model: of, redis: setting.redis, lockMs, world: setting.world });

  contract(async () => {
    await setting.redis.flushall();
    return {
      ...setting,
      open: (options) => {
        const { encode, decode } = open(options);
        void decode.close();
        return encode;
      },
    };
  });

  test('of another model or another stage has other jobs', async () => {
    await setting.redis.flushall();
    const all = [open(), open({}, 'other@ba9876543210')].flatMap((each) => [
      each.encode,
      each.decode,
    ]);
    const [first, ...others] = all;
    await first?.add(job() as never);
    expect(await first?.live()).toHaveLength(1);
    for (const each of others) expect(await each.live(), each.name).toEqual([]);
    await Promise.all(all.map((each) => each.close()));
  });

  test('keeps all its keys on one node of a Redis Cluster', async () => {
    await setting.redis.flushall();
    const { encode, decode } = open();
    await encode.add(job());
    await encode.take(0);
    const keys = await setting.redis.keys('*');
    expect(keys.length).toBeGreaterThan(2);
    for (const key of keys) expect(key).toMatch(/^\{cutline-0123456789ab\}:cutline-(en|de)code-/);
    await Promise.all([encode.close(), decode.close()]);
  });

  test('has its jobs live while somebody has paused it with another tool', async () => {
    await setting.redis.flushall();
    const { encode, decode } = open();
    await encode.add(job(1));
    const tool = new Queue(encode.name, {
      connection: setting.redis,
      prefix: '{cutline-0123456789ab}',
    });
    await tool.pause();
    await encode.add(job(2));
    expect(await encode.live('r1')).toHaveLength(2);
    await Promise.all([encode.close(), decode.close(), tool.close()]);
  });
});
