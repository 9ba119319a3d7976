import { type EncodeJob, encodeJobSchema, type JobQueue, type TakenJob } from '@cutline/pipeline';
import { jobId } from '@cutline/shared/run';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { waitFor } from '../../../test/support/wait-for.ts';
import { smallJob } from './support/example-jobs.ts';
import {
  type QueueBackend,
  startBullBackend,
  startClusterBackend,
  startMemoryBackend,
} from './support/queue-backends.ts';

/** What every queue of jobs does, as the interface says it. */

const longMs = 60_000;
/** Long enough for a few operations on a busy machine, short enough to wait for. */
const shortLockMs = 1_000;

describe.each([
  ['BullMQ', startBullBackend],
  ['BullMQ on a Redis Cluster', startClusterBackend],
  ['memory', startMemoryBackend],
])('a queue on %s', (_, start) => {
  let backend: QueueBackend;
  let opened: JobQueue<EncodeJob>[];
  let model: string;
  let tests = 0;
  /** Adds; never takes. */
  let producer: JobQueue<EncodeJob>;

  beforeAll(async () => {
    backend = await start();
  });
  afterAll(() => backend?.stop());
  beforeEach(() => {
    tests += 1;
    model = `tiny@${tests}`;
    opened = [];
    producer = open();
  });
  afterEach(async () => {
    await Promise.all(opened.map((queue) => queue.close()));
  });

  function open(lockMs = longMs): JobQueue<EncodeJob> {
    const queue = backend.open(model, { lockMs });
    opened.push(queue);
    return queue;
  }

  async function take(queue: JobQueue, waitMs = longMs): Promise<TakenJob> {
    const taken = await backend.settle(queue.take(waitMs));
    if (!taken) throw new Error(`No job came within ${waitMs} ms`);
    return taken;
  }

  /** A job that was taken by `dead`, which showed no sign of life, and then by another. */
  async function takeTwice(): Promise<[JobQueue, TakenJob, JobQueue, TakenJob]> {
    const dead = open(shortLockMs);
    const other = open(shortLockMs);
    await producer.add(smallJob());
    const before = await take(dead);
    return [dead, before, other, await take(other)];
  }

  test('is named after its stage and the hash of its model', () => {
    expect(producer.name).toBe(`cutline-encode-${tests}`);
  });

  describe('add', () => {
    test('leaves a job that was there as it was, and can tell that it was', async () => {
      expect(await producer.addNew(smallJob())).toBe(true);
      await open().add({ ...smallJob(), source: 's3://another' });
      expect(await open().addNew({ ...smallJob(), source: 's3://other' })).toBe(false);
      expect(await producer.counts()).toMatchObject({ waiting: 1 });
      expect((await take(open())).data).toEqual(smallJob());
    });

    test('tells attempts at a batch apart, and queues of different models', async () => {
      await producer.add(smallJob());
      expect(await producer.addNew(smallJob(0, { attempt: '0r' }))).toBe(true);
      model += 'x';
      expect(await open().addNew(smallJob())).toBe(true);
    });

    test.each(['delayed', 'in hand', 'given back', 'finished', 'refused'])(
      'knows a job that is %s',
      async (state) => {
        const worker = open();
        await producer.add(smallJob(), { delayMs: state === 'delayed' ? longMs : 0 });
        if (state !== 'delayed') {
          const taken = await take(worker);
          if (state === 'given back') await worker.giveBack(taken, { delayMs: longMs });
          if (state === 'finished') await worker.finish(taken);
          if (state === 'refused') await worker.refuse(taken, 'no');
        }
        const before = await producer.counts();
        expect(await producer.addNew(smallJob())).toBe(false);
        expect(await producer.counts()).toEqual(before);
      },
    );

    test('is new again once the job was removed', async () => {
      await producer.add(smallJob());
      await producer.remove(jobId(smallJob()));
      expect(await producer.addNew(smallJob())).toBe(true);
    });

    test('is new again once a hundred others were finished since', async () => {
      const worker = open();
      for (let batch = 0; batch <= 100; batch++) {
        await producer.add(smallJob(batch));
        expect(await worker.finish(await take(worker))).toBe(true);
      }
      expect(await producer.addNew(smallJob(0))).toBe(true);
      expect(await producer.addNew(smallJob(1))).toBe(false);
    });

    test('takes the job as it is now, whatever becomes of the object', async () => {
      const job = smallJob();
      await producer.add(job);
      job.images.length = 0;
      const worker = open();
      const { data } = await take(worker);
      expect(encodeJobSchema.parse(data)).toEqual(smallJob());
    });

    test('takes a delayed job from that time on', async () => {
      const addedMs = backend.now();
      await producer.add(smallJob(), { delayMs: 300 });
      expect(await producer.counts()).toMatchObject({ waiting: 0, delayed: 1 });
      const worker = open();
      expect(await worker.take(0)).toBeUndefined();
      const taken = await take(worker);
      expect(backend.now() - addedMs).toBeGreaterThanOrEqual(300);
      expect(backend.now() - addedMs).toBeLessThan(5_000);
      expect(taken.id).toBe('r1.000000.0');
    });

    test.each(['0', '7', 'wait', 'a-_b', 'A'.repeat(64), '1e5'])(
      'takes jobs of a run named %s',
      async (run) => {
        const job = smallJob(1_234_567, { run, attempt: '12rabe' });
        expect(await producer.addNew(job)).toBe(true);
        expect(await producer.addNew(job)).toBe(false);
        const attempt = { run, batch: 1_234_567, attempt: '12rabe' };
        expect(await producer.live(run)).toEqual([attempt]);
        const worker = open();
        const taken = await take(worker);
        expect(taken.data).toEqual(job);
        expect(await worker.finish(taken)).toBe(true);
      },
    );
  });

  describe('take', () => {
    test('gives what waited longest first', async () => {
      for (const batch of [3, 1, 2]) await producer.add(smallJob(batch));
      const worker = open();
      const ids = [];
      for (let i = 0; i < 3; i++) ids.push((await take(worker)).id);
      expect(ids).toEqual(['r1.000003.0', 'r1.000001.0', 'r1.000002.0']);
    });

    test('gives the job with what is known of it', async () => {
      await producer.add(smallJob(5));
      await backend.advance(50);
      const askedMs = backend.now();
      const taken = await take(open());
      expect(taken.askedMs).toBeGreaterThanOrEqual(askedMs);
      expect(taken.askedMs).toBeLessThanOrEqual(backend.now());
      expect(taken).toMatchObject({ id: 'r1.000005.0', deaths: 0, givenBack: 0 });
      expect(taken.data).toEqual(smallJob(5));
      expect(taken.waitedMs).toBeGreaterThanOrEqual(50);
      expect(taken.waitedMs).toBeLessThan(10_000);
    });

    test('does not count a delay as waiting', async () => {
      const addedMs = backend.now();
      await producer.add(smallJob(), { delayMs: 500 });
      const taken = await take(open());
      expect(taken.waitedMs).toBeLessThanOrEqual(backend.now() - addedMs - 500);
    });

    test('gives nothing where nothing comes in time', async () => {
      const startMs = backend.now();
      expect(await backend.settle(open().take(200))).toBeUndefined();
      expect(backend.now() - startMs).toBeGreaterThanOrEqual(190);
      expect(backend.now() - startMs).toBeLessThan(5_000);
    });

    test('does not wait beyond its time for a delayed job', async () => {
      await producer.add(smallJob(), { delayMs: longMs });
      const startMs = backend.now();
      expect(await backend.settle(open().take(200))).toBeUndefined();
      expect(backend.now() - startMs).toBeLessThan(5_000);
    });

    test('gives a job that is added while it waits, without delay', async () => {
      const worker = open();
      const taking = worker.take(longMs);
      await backend.advance(50);
      await producer.add(smallJob());
      const addedMs = backend.now();
      expect((await backend.settle(taking))?.id).toBe('r1.000000.0');
      expect(backend.now() - addedMs).toBeLessThan(5_000);
    });

    test('gives workers that take at once different jobs', async () => {
      const workers = [open(), open(), open()];
      const taking = workers.map((worker) => worker.take(longMs));
      for (let batch = 0; batch < 3; batch++) await producer.add(smallJob(batch));
      const taken = await Promise.all(taking.map((promise) => backend.settle(promise)));
      expect(taken.map((job) => job?.id).toSorted()).toEqual([
        'r1.000000.0',
        'r1.000001.0',
        'r1.000002.0',
      ]);
      expect(new Set(taken.map((job) => job?.token)).size).toBe(3);
    });

    test('gives one worker many jobs at once', async () => {
      const worker = open();
      for (let batch = 0; batch < 2; batch++) await producer.add(smallJob(batch));
      const [first, second] = [await take(worker), await take(worker)];
      expect(await worker.finish(first)).toBe(true);
      expect(await worker.finish(second)).toBe(true);
    });
  });

  describe('stopTaking', () => {
    test('ends a take that waits at once', async () => {
      const worker = open();
      const taking = worker.take(10 * longMs);
      await backend.advance(50);
      await worker.stopTaking();
      const stoppedMs = backend.now();
      expect(await taking).toBeUndefined();
      expect(backend.now() - stoppedMs).toBeLessThan(5_000);
    });

    test('leaves nothing to take, and what is in hand can be ended', async () => {
      const worker = open();
      for (let batch = 0; batch < 4; batch++) await producer.add(smallJob(batch));
      const taken = [await take(worker), await take(worker), await take(worker)] as const;
      await worker.stopTaking();
      expect(await worker.take(longMs)).toBeUndefined();
      expect(await worker.renew(taken[0])).toBe(true);
      expect(await worker.finish(taken[0])).toBe(true);
      expect(await worker.giveBack(taken[1], { delayMs: longMs })).toBe(true);
      expect(await worker.refuse(taken[2], 'no')).toBe(true);
      expect(await worker.counts()).toEqual({ waiting: 1, delayed: 1, active: 0, failed: 1 });
    });

    test('loses no job that is being taken', async () => {
      for (let batch = 0; batch < 20; batch++) {
        await producer.add(smallJob(batch));
        const worker = open();
        const taking = worker.take(longMs);
        await worker.stopTaking();
        const taken = await taking;
        // It came in time or it did not: either way, the job is in hand or waits.
        if (taken) expect(await worker.finish(taken)).toBe(true);
        else expect(await producer.remove(jobId(smallJob(batch)))).toBe(true);
        await worker.close();
      }
      expect(await producer.counts()).toMatchObject({ waiting: 0, active: 0 });
    });

    test('concerns this worker alone, also before it took anything', async () => {
      const worker = open();
      await worker.stopTaking();
      await producer.add(smallJob());
      expect(await worker.take(longMs)).toBeUndefined();
      expect((await take(open())).id).toBe('r1.000000.0');
    });
  });

  describe('a lock', () => {
    test('is kept for as long as it is renewed', async () => {
      const [worker, other] = [open(shortLockMs), open(shortLockMs)];
      await producer.add(smallJob());
      const taken = await take(worker);
      const rival = other.take(longMs);
      for (let i = 0; i < 16; i++) {
        await backend.advance(shortLockMs / 4);
        expect(await worker.renew(taken)).toBe(true);
      }
      expect(await worker.finish(taken)).toBe(true);
      await other.stopTaking();
      expect(await rival).toBeUndefined();
    });

    test('that has expired gives the job to another, who is told of the death', async () => {
      const [, before, , taken] = await takeTwice();
      expect(before).toMatchObject({ id: 'r1.000000.0', deaths: 0 });
      expect(taken).toMatchObject({ id: 'r1.000000.0', deaths: 1, givenBack: 0 });
      expect(taken.data).toEqual(smallJob());
      expect(taken.token).not.toBe(before.token);
    });

    test('that has expired cannot be renewed, nor the job be ended', async () => {
      const worker = open(shortLockMs);
      await producer.add(smallJob());
      const taken = await take(worker);
      await worker.stopTaking(); // so that nobody takes it
      await backend.advance(shortLockMs);
      expect(await worker.renew(taken)).toBe(false);
      expect(await worker.finish(taken)).toBe(false);
      expect(await worker.live()).toHaveLength(1);
    });

    test('keeps the late hands of a worker off a job that another has', async () => {
      const [dead, before, other, taken] = await takeTwice();
      expect(await dead.renew(before)).toBe(false);
      expect(await dead.finish(before)).toBe(false);
      expect(await dead.giveBack(before, { delayMs: 0 })).toBe(false);
      expect(await dead.refuse(before, 'no')).toBe(false);
      expect(await producer.counts()).toEqual({ waiting: 0, delayed: 0, active: 1, failed: 0 });
      expect(await other.finish(taken)).toBe(true);
      expect(await dead.finish(before)).toBe(false);
      expect(await producer.live()).toEqual([]);
    });

    test('that expires again and again never fails the job', async () => {
      const worker = open(100);
      await producer.add(smallJob());
      for (let deaths = 0; deaths < 4; deaths++) expect((await take(worker)).deaths).toBe(deaths);
    });

    test('is in the way of nobody who removes the job once it has expired', async () => {
      const worker = open(shortLockMs);
      await producer.add(smallJob());
      const taken = await take(worker);
      await worker.stopTaking();
      await backend.advance(shortLockMs);
      expect(await producer.remove(taken.id)).toBe(true);
      expect(await producer.live()).toEqual([]);
    });
  });

  test('a Redis that forgot everything takes nothing from late workers', async () => {
    const worker = open();
    for (let batch = 0; batch < 4; batch++) await producer.add(smallJob(batch));
    const taken = [];
    for (let i = 0; i < 4; i++) taken.push(await take(worker));
    const [a, b, c, d] = taken as [TakenJob, TakenJob, TakenJob, TakenJob];
    await backend.flush();
    expect(await worker.renew(a)).toBe(false);
    expect(await worker.finish(b)).toBe(false);
    expect(await worker.giveBack(c, { delayMs: 0 })).toBe(false);
    expect(await worker.refuse(d, 'no')).toBe(false);
    expect(await worker.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 0 });
    expect(await producer.addNew(smallJob(0))).toBe(true);
    const again = await take(worker);
    expect(again).toMatchObject({ id: a.id, deaths: 0, givenBack: 0 });
    expect(await worker.finish(a)).toBe(false);
    expect(await worker.finish(again)).toBe(true);
  });

  describe('finish', () => {
    test('ends a job, once', async () => {
      const worker = open();
      await producer.add(smallJob());
      const taken = await take(worker);
      expect(await worker.finish(taken)).toBe(true);
      expect(await worker.finish(taken)).toBe(false);
      expect(await worker.renew(taken)).toBe(false);
      expect(await worker.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 0 });
    });
  });

  describe('giveBack', () => {
    test('delays a job, and counts', async () => {
      const worker = open();
      await producer.add(smallJob());
      const taken = await take(worker);
      const givenMs = backend.now();
      expect(await worker.giveBack(taken, { delayMs: 300 })).toBe(true);
      expect(await worker.renew(taken)).toBe(false);
      expect(await worker.counts()).toMatchObject({ delayed: 1, active: 0 });
      const again = await take(worker);
      expect(backend.now() - givenMs).toBeGreaterThanOrEqual(300);
      expect(backend.now() - givenMs).toBeLessThan(5_000);
      expect(again).toMatchObject({ id: taken.id, givenBack: 1, deaths: 0 });
      expect(again.data).toEqual(smallJob());
    });

    test('never fails a job, without a delay neither', async () => {
      const worker = open();
      await producer.add(smallJob());
      for (let givenBack = 0; givenBack < 25; givenBack++) {
        const taken = await take(worker);
        expect(taken.givenBack).toBe(givenBack);
        expect(await worker.giveBack(taken, { delayMs: 0 })).toBe(true);
      }
      expect(await worker.live()).toHaveLength(1);
    });

    test('puts a job behind those that wait', async () => {
      const worker = open();
      await producer.add(smallJob(1));
      await producer.add(smallJob(2));
      await worker.giveBack(await take(worker), { delayMs: 0 });
      expect((await take(worker)).id).toBe('r1.000002.0');
      expect((await take(worker)).id).toBe('r1.000001.0');
    });

    test('wakes a worker that waits', async () => {
      const [worker, other] = [open(), open()];
      await producer.add(smallJob());
      const taken = await take(worker);
      const taking = other.take(longMs);
      await backend.advance(50);
      await worker.giveBack(taken, { delayMs: 0 });
      const givenMs = backend.now();
      expect((await backend.settle(taking))?.id).toBe(taken.id);
      expect(backend.now() - givenMs).toBeLessThan(5_000);
    });

    test('and deaths are counted apart', async () => {
      const [, , other, taken] = await takeTwice();
      await other.giveBack(taken, { delayMs: 0 });
      expect(await take(other)).toMatchObject({ deaths: 1, givenBack: 1 });
    });
  });

  test('refuse puts a job aside for good', async () => {
    const worker = open();
    await producer.add(smallJob());
    const taken = await take(worker);
    expect(await worker.refuse(taken, 'not of this version')).toBe(true);
    expect(await worker.refuse(taken, 'not of this version')).toBe(false);
    expect(await worker.take(0)).toBeUndefined();
    expect(await worker.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 1 });
    expect(await worker.live()).toEqual([]);
  });

  describe('live', () => {
    test('are the attempts of a run that are waiting, delayed or in hand', async () => {
      const worker = open();
      for (const batch of [1, 2, 3]) await producer.add(smallJob(batch));
      await worker.finish(await take(worker));
      await take(worker);
      await producer.add(smallJob(4, { attempt: '0r' }), { delayMs: longMs });
      await producer.add(smallJob(5, { run: 'r11' }));
      expect(batches(await producer.live('r1'))).toEqual([2, 3, 4]);
      expect(batches(await producer.live())).toEqual([2, 3, 4, 5]);
      expect(await producer.live('r11')).toEqual([{ run: 'r11', batch: 5, attempt: '0' }]);
      expect(await producer.live('r')).toEqual([]);
    });

    test('are all of them, be they many', async () => {
      await Promise.all(Array.from({ length: 300 }, (_, batch) => producer.add(smallJob(batch))));
      expect(await producer.live('r1')).toHaveLength(300);
    });

    test('miss no job on its way from one state to another', async () => {
      const worker = open();
      await producer.add(smallJob());
      let moving = true;
      const moves = (async () => {
        for (let i = 0; i < 30; i++) {
          await worker.giveBack(await take(worker), { delayMs: i % 2 });
        }
        moving = false;
      })();
      let looks = 0;
      while (moving) {
        expect(await producer.live('r1')).toHaveLength(1);
        looks += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await moves;
      expect(looks).toBeGreaterThan(10);
    });
  });

  describe('remove', () => {
    test.each([0, longMs])(
      'takes a job off the queue that was delayed by %d ms',
      async (delayMs) => {
        await producer.add(smallJob(), { delayMs });
        expect(await producer.remove('r1.000000.0')).toBe(true);
        expect(await producer.live()).toEqual([]);
        expect(await open().take(0)).toBeUndefined();
      },
    );

    test('leaves a job that is in hand', async () => {
      const worker = open();
      await producer.add(smallJob());
      const taken = await take(worker);
      expect(await producer.remove(taken.id)).toBe(false);
      expect(await producer.counts()).toMatchObject({ active: 1 });
      expect(await worker.finish(taken)).toBe(true);
    });

    test('finds nothing in the way where there is no job', async () => {
      expect(await producer.remove('r1.000000.0')).toBe(true);
    });

    test.each(['finish', 'refuse'] as const)('forgets a job after %s', async (end) => {
      const worker = open();
      await producer.add(smallJob());
      const taken = await take(worker);
      await worker[end](taken, 'no');
      expect(await producer.remove(taken.id)).toBe(true);
      expect(await producer.counts()).toMatchObject({ failed: 0 });
      expect(await producer.addNew(smallJob())).toBe(true);
    });
  });

  describe('priority', () => {
    const high = (batch: number) => smallJob(batch, { run: 'high', priority: 'high' });
    const low = (batch: number) => smallJob(batch, { run: 'low', priority: 'low' });

    test('decides what is taken first', async () => {
      for (const job of [low(0), smallJob(1), high(2), low(3), smallJob(4), high(5)]) {
        await producer.add(job);
      }
      const worker = open();
      const runs = [];
      for (let i = 0; i < 6; i++) runs.push((await take(worker)).id.split('.')[0]);
      expect(runs).toEqual(['high', 'high', 'r1', 'r1', 'low', 'low']);
    });

    test.each([high(0), low(0)])('of a job that is $priority changes nothing else', async (job) => {
      const worker = open(shortLockMs);
      expect(await producer.addNew(job)).toBe(true);
      expect(await producer.addNew(job)).toBe(false);
      expect(await producer.counts()).toMatchObject({ waiting: 1 });
      expect(await producer.live(job.run)).toHaveLength(1);
      expect(await producer.oldestWaiting()).toBeGreaterThan(0);
      expect(await producer.remove(jobId(job))).toBe(true);
      expect(await producer.live()).toEqual([]);

      await producer.add(job, { delayMs: 50 });
      await worker.giveBack(await take(worker), { delayMs: 50 });
      const taken = await take(worker);
      expect(taken).toMatchObject({ id: jobId(job), data: job, givenBack: 1 });
      await backend.advance(2 * shortLockMs); // it dies
      const again = await take(worker);
      expect(again).toMatchObject({ id: jobId(job), deaths: 1 });
      expect(await worker.finish(again)).toBe(true);
    });

    test('wakes a worker that waits', async () => {
      for (const job of [high(0), low(1)]) {
        const taking = open().take(longMs);
        await backend.advance(50);
        await producer.add(job);
        expect((await backend.settle(taking))?.id).toBe(jobId(job));
      }
    });
  });

  test('counts jobs by their state', async () => {
    const worker = open();
    for (let batch = 0; batch < 6; batch++) await producer.add(smallJob(batch));
    await producer.add(smallJob(6), { delayMs: longMs });
    await take(worker);
    await take(worker);
    await worker.refuse(await take(worker), 'no');
    await worker.finish(await take(worker));
    expect(await producer.counts()).toEqual({ waiting: 2, delayed: 1, active: 2, failed: 1 });
  });

  test('knows when the job that has waited longest was added', async () => {
    const worker = open();
    expect(await producer.oldestWaiting()).toBeUndefined();
    const added: [number, number][] = [];
    for (const batch of [0, 1]) {
      const fromMs = backend.now();
      await producer.add(smallJob(batch));
      added.push([fromMs, backend.now()]);
      await backend.advance(20);
    }
    for (const [fromMs, toMs] of added) {
      const oldestMs = await producer.oldestWaiting();
      expect(oldestMs).toBeGreaterThanOrEqual(fromMs);
      expect(oldestMs).toBeLessThanOrEqual(toMs);
      await take(worker);
    }
    expect(await producer.oldestWaiting()).toBeUndefined();
  });

  test('counts workers: those that take, until they stop', async () => {
    const workers = [open(), open()] as const;
    expect(await producer.workers()).toBe(0);
    await Promise.all(workers.map((worker) => worker.take(0)));
    await eventually(2);
    await workers[0].stopTaking();
    await eventually(1);
    await workers[1].close();
    await eventually(0);
  });

  test('close leaves what is in hand, until its lock expires', async () => {
    const [worker, other] = [open(shortLockMs), open(shortLockMs)];
    await producer.add(smallJob());
    await take(worker);
    await worker.close();
    expect(await producer.counts()).toMatchObject({ waiting: 0, active: 1 });
    expect(await take(other)).toMatchObject({ deaths: 1 });
  });

  /** Connections come and go a little later than they are asked to. */
  async function eventually(workers: number): Promise<void> {
    await waitFor(async () => (await producer.workers()) === workers, {
      deadlineMs: 10_000,
      what: `${workers} workers`,
    });
  }
});

function batches(attempts: { batch: number }[]): number[] {
  return attempts.map(({ batch }) => batch).toSorted((a, b) => a - b);
}
