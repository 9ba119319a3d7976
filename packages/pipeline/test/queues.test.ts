import {
  addJob,
  closeQueues,
  connectRedis,
  type DecodeJob,
  type EncodeJob,
  encodeJobSchema,
  type JobHandler,
  liveBatches,
  openQueues,
  type Queues,
  startJobWorker,
} from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import { createLogger, Metrics } from '@cutline/shared/process';
import { jobId } from '@cutline/shared/run';
import { StoreError } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

/** BullMQ on a real Redis: what we rely on, as it is used. */

let server: RedisServer;
let redis: Redis;
let queues: Queues;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.url);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
});
beforeEach(async () => {
  await redis.flushall();
  queues = openQueues(redis);
});
afterEach(() => closeQueues(queues));

function job(batch = 0, attempt = '0', run = 'r1'): EncodeJob {
  return {
    run,
    batch,
    attempt,
    source: 's3://archive',
    output: { store: 's3://captions', prefix: '' },
    model: 'tiny@0123456789ab',
    options: {
      beamSize: 1,
      candidates: 1,
      lengthPenalty: 0,
      lengthMax: 9,
      lengthMin: 0,
      noRepeatNgram: 0,
      attention: false,
    },
    sidecars: [],
    images: [{ key: `${batch}.jpg`, etag: null, bytes: null }],
  };
}
const decodeJob = (batch = 0): DecodeJob => ({ ...job(batch), images: [], deferred: [] });

const until = (what: string, condition: () => boolean | Promise<boolean>) =>
  waitFor(condition, { deadlineMs: 60_000, what });

describe('a job', () => {
  test('is there once, however often it is added', async () => {
    for (let i = 0; i < 3; i++) await addJob(queues.encode, job());
    await addJob(queues.encode, job(0, '0r'));
    expect(await queues.encode.getWaitingCount()).toBe(2);
    const found = await queues.encode.getJob('r1.000000.0');
    expect(encodeJobSchema.parse(found?.data)).toEqual(job());
  });

  test('has its data kept as it was added first', async () => {
    await addJob(queues.encode, job());
    await addJob(queues.encode, { ...job(), model: 'other@0' });
    expect((await queues.encode.getJob(jobId(job())))?.data.model).toBe('tiny@0123456789ab');
  });

  test('waits for as long as it is told to', async () => {
    await addJob(queues.encode, job(), { delayMs: 60_000 });
    expect(await queues.encode.getDelayedCount()).toBe(1);
    expect(await queues.encode.getWaitingCount()).toBe(0);
  });
});

describe('live batches', () => {
  test('are those of the run that some job holds, in either queue, waiting or delayed', async () => {
    await addJob(queues.encode, job(1));
    await addJob(queues.encode, job(2, '0r'), { delayMs: 60_000 });
    await addJob(queues.decode, decodeJob(3));
    await addJob(queues.encode, job(3, '0a'));
    await addJob(queues.encode, job(4, '0', 'r11'));
    expect(await liveBatches(queues, 'r1')).toEqual(new Set([1, 2, 3]));
    expect(await liveBatches(queues, 'r11')).toEqual(new Set([4]));
    expect(await liveBatches(queues, 'r')).toEqual(new Set());
  });

  test('are all of them, be they many', async () => {
    for (let batch = 0; batch < 300; batch++) await addJob(queues.encode, job(batch));
    expect((await liveBatches(queues, 'r1')).size).toBe(300);
  });

  test('are live while somebody has paused the queue', async () => {
    await addJob(queues.encode, job(1));
    await queues.encode.pause();
    await addJob(queues.encode, job(2));
    expect(await liveBatches(queues, 'r1')).toEqual(new Set([1, 2]));
  });

  test('are none when there are no jobs', async () => {
    expect(await liveBatches(queues, 'r1')).toEqual(new Set());
  });
});

describe('a worker', () => {
  const workers: ReturnType<typeof startJobWorker>[] = [];
  let userErrors: Error[];

  beforeEach(() => {
    userErrors = [];
  });
  afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.close(true))));

  const start = (handle: JobHandler<EncodeJob>, options: { lockMs?: number } = {}) => {
    const worker = startJobWorker<EncodeJob>({
      queue: 'encode',
      redis,
      schema: encodeJobSchema,
      handle,
      concurrency: 1,
      lockMs: options.lockMs ?? 30_000,
      metrics: new Metrics(),
      log: createLogger({ process: 'test', level: 'silent' }),
      onUserError: (error) => {
        userErrors.push(error);
        void worker.pause(true); // a process would stop here
      },
    });
    workers.push(worker);
    void worker.run();
    return worker;
  };

  test('gets what was added; a job in hand is live, and one that is done is not', async () => {
    const taken: EncodeJob[] = [];
    let finish = () => {};
    start(async (data) => {
      taken.push(data);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    await addJob(queues.encode, job(7));
    await until('the job to be taken', () => taken.length === 1);
    expect(taken).toEqual([job(7)]);
    expect(await liveBatches(queues, 'r1')).toEqual(new Set([7]));
    finish();
    await until('the job to be done', async () => (await liveBatches(queues, 'r1')).size === 0);
    expect(await queues.encode.getCompletedCount()).toBe(1);
  });

  test('tries again what threw, and says how often it failed', async () => {
    const failures: number[] = [];
    start(async (_, context) => {
      failures.push(context.failures);
      if (failures.length === 1) throw new StoreError('unavailable', 'S3 is down');
    });
    await addJob(queues.encode, job());
    await until('the second try', () => failures.length === 2);
    expect(failures).toEqual([0, 1]);
    expect(userErrors).toEqual([]);
  });

  test.each([
    ['a wrong model', new UserError('another model')],
    ['a wrong bucket', new StoreError('misconfigured', 'no such bucket')],
  ])('hands %s to the process, and the job stays', async (_, error) => {
    start(async () => {
      throw error;
    });
    await addJob(queues.encode, job(3));
    await until('the error', () => userErrors.length === 1);
    expect(userErrors).toEqual([error]);
    await until(
      'the job to be put back',
      async () => (await queues.encode.getDelayedCount()) === 1,
    );
    expect(await liveBatches(queues, 'r1')).toEqual(new Set([3]));
  });

  test('does not touch a job of another version, and says what to do', async () => {
    let handled = 0;
    start(async () => {
      handled += 1;
    });
    await addJob(queues.encode, { ...job(), priority: 9 } as EncodeJob);
    await until('the refusal', async () => (await queues.encode.getFailedCount()) === 1);
    const [failed] = await queues.encode.getFailed();
    expect(failed?.failedReason).toMatch(/not of this version .* "cutline resume"/);
    expect(handled).toBe(0);
    expect(await liveBatches(queues, 'r1')).toEqual(new Set()); // a pass of the producer makes it anew
  });

  test('gets the jobs of one that died, and is told so', async () => {
    const dead = start(() => new Promise(() => {}), { lockMs: 1_000 });
    await addJob(queues.encode, job(5));
    await until('the first to take it', async () => (await queues.encode.getActiveCount()) === 1);
    await redis.del(`cutline:cutline-encode:${jobId(job(5))}:lock`); // as if it had not renewed it
    const lost: number[] = [];
    start(
      async (_, { lostWorkers }) => {
        lost.push(lostWorkers);
      },
      { lockMs: 1_000 },
    );
    await until('the other to take it', () => lost.length === 1);
    expect(lost[0]).toBeGreaterThanOrEqual(1);
    await dead.close(true);
  });
});
