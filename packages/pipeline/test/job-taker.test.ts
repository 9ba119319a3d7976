import {
  type EncodeJob,
  encodeJobSchema,
  type JobHandler,
  type JobQueue,
  JobTaker,
  type JobTakerOptions,
  MemoryQueueServer,
} from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import { type Logger, Metrics } from '@cutline/shared/process';
import { StoreError } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { smallJob } from './support/example-jobs.ts';
import { ManualWorld } from './support/manual-world.ts';

/** What becomes of jobs that a worker takes, over a queue in memory. */

const lockMs = 30_000;

let world: ManualWorld;
let server: MemoryQueueServer;
let queue: JobQueue<EncodeJob>;
let logged: string[];
let fatal: unknown[];
let floor: number;
const takers: JobTaker<EncodeJob>[] = [];

beforeEach(() => {
  world = new ManualWorld();
  server = new MemoryQueueServer();
  queue = open();
  logged = [];
  fatal = [];
  floor = 0;
});

afterEach(async () => {
  for (const taker of takers.splice(0)) await world.settle(taker.stop());
});

function open(): JobQueue<EncodeJob> {
  return server.open({ stage: 'encode', model: 'tiny@0123456789ab', lockMs, world });
}

function start(
  handle: JobHandler<EncodeJob>,
  from = open(),
  more: Pick<JobTakerOptions<EncodeJob>, 'idle'> = {},
): JobTaker<EncodeJob> {
  const note = (...args: unknown[]) => void logged.push(String(args.at(-1)));
  const log = { debug: note, info: note, warn: note, error: note };
  const taker = new JobTaker<EncodeJob>({
    stage: 'encode',
    queue: from,
    schema: encodeJobSchema,
    handle,
    floor: async () => floor,
    concurrency: 2,
    lockMs,
    world,
    metrics: new Metrics(),
    log: { ...log, child: () => log } as unknown as Logger,
    onFatal: (error) => fatal.push(error),
    ...more,
  });
  takers.push(taker);
  void taker.run();
  return taker;
}

test('those that are done are gone', async () => {
  const seen: number[] = [];
  start(async ({ batch }) => void seen.push(batch));
  for (const batch of [1, 2, 3]) await queue.add(smallJob(batch));
  await world.advance(1_000);
  expect(seen).toEqual([1, 2, 3]);
  expect(await queue.live()).toEqual([]);
});

test('those that an outage made fail are tried again, later each time', async () => {
  const tries: number[] = [];
  start(async () => {
    tries.push(world.now());
    if (tries.length < 4) throw new StoreError('unavailable', 'S3 is down.');
  });
  await queue.add(smallJob());
  await world.advance(60_000);
  const pauses = tries.slice(1).map((at, i) => at - (tries[i] as number));
  expect(tries).toHaveLength(4);
  expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses);
  expect(await queue.live()).toEqual([]);
  expect(fatal).toEqual([]);
});

test('those of another version are put aside, and the log says so', async () => {
  start(async () => {
    throw new Error('it is not to be handled');
  });
  await queue.add({ ...smallJob(), novelty: true } as EncodeJob);
  await world.advance(1_000);
  expect(await queue.counts()).toMatchObject({ active: 0, waiting: 0, failed: 1 });
  expect(logged.filter((line) => line.includes('not of this version'))).toHaveLength(1);
});

test('those that a person has to do something for go back, and stop the worker', async () => {
  start(async () => {
    throw new UserError('Correct the settings.');
  });
  await queue.add(smallJob());
  await world.advance(100);
  expect(fatal).toEqual([expect.any(UserError)]);
  expect(await queue.live()).toHaveLength(1);
});

test('those of a run that has moved on are dropped before they have an effect', async () => {
  let effects = 0;
  start(async (_, { requireWanted }) => {
    await requireWanted();
    effects += 1;
  });
  floor = 2;
  await queue.add(smallJob(0, { attempt: '1ra' }));
  await queue.add(smallJob(0, { attempt: '2' }));
  await world.advance(1_000);
  expect(effects).toBe(1);
  expect(logged).toContain('dropped');
  expect(await queue.live()).toEqual([]);
});

test('one that another took meanwhile has no effect here', async () => {
  let wake = () => {};
  const slept = new Promise<void>((resolve) => {
    wake = resolve;
  });
  let effects = 0;
  const sleeper = open();
  await queue.add(smallJob());
  const taken = await sleeper.take(0);
  await world.advance(2 * lockMs);
  start(async (_, { requireWanted, deaths }) => {
    await requireWanted();
    expect(deaths).toBe(1);
    effects += 1;
    await slept;
  });
  await world.advance(100);
  expect(effects).toBe(1);
  expect(taken && (await sleeper.renew(taken))).toBe(false);
  wake();
  await world.advance(100);
  expect(await queue.live()).toEqual([]);
});

test('one whose taker slept before it heard the answer has no effect here', async () => {
  let wake = () => {};
  const slept = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const sleeper = open();
  const take = sleeper.take.bind(sleeper);
  sleeper.take = async (waitMs) => {
    const taken = await take(waitMs);
    if (taken) await slept;
    return taken;
  };
  let effects = 0;
  start(async (_, { requireWanted }) => {
    await requireWanted();
    effects += 1;
  }, sleeper);
  await queue.add(smallJob());
  await world.advance(2 * lockMs);
  expect(await open().take(0)).toMatchObject({ deaths: 1 });
  wake();
  await world.advance(100);
  expect(effects).toBe(0);
  expect(logged).toContain('dropped');
});

test('one that was taken a moment ago is not asked about', async () => {
  const counted = open();
  const renew = vi.spyOn(counted, 'renew');
  start(async (_, { requireWanted }) => requireWanted(), counted);
  await queue.add(smallJob());
  await world.advance(1_000);
  expect(await queue.live()).toEqual([]);
  expect(renew).not.toHaveBeenCalled();
});

test('a job in hand stays this worker’s for as long as it takes', async () => {
  let finish = () => {};
  start(
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  );
  await queue.add(smallJob());
  await world.advance(10 * lockMs);
  expect(await open().take(0)).toBeUndefined();
  finish();
  await world.advance(100);
  expect(await queue.live()).toEqual([]);
});

test('a worker that fails at everything, in ways that nobody foresaw, stops', async () => {
  start(async () => {
    throw new TypeError('of all things');
  });
  await queue.add(smallJob());
  await world.advance(3_600_000);
  expect(String(fatal[0])).toContain('10 batches in a row failed');
  expect(await queue.live()).toHaveLength(1);
});

describe('a worker that is to leave when it is idle for 12 s', () => {
  const left: number[] = [];
  const idle = { seconds: 12, leave: (seconds: number) => void left.push(seconds) };

  beforeEach(() => {
    left.length = 0;
  });

  test('leaves when there was nothing to take for so long', async () => {
    start(async () => {}, open(), { idle });
    await world.advance(11_000);
    expect(left).toEqual([]);
    await world.advance(1_500);
    expect(left).toEqual([12]);
  });

  test('does not while it has something in hand, and counts from its end', async () => {
    let finish = () => {};
    const handle = () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      });
    await queue.add(smallJob());
    start(handle, open(), { idle });
    await world.advance(60_000);
    finish();
    await world.advance(11_000);
    expect(left).toEqual([]);
    await world.advance(7_000);
    expect(left).toEqual([12]);
  });

  test('does not while the queue does not answer: there may be work', async () => {
    const silent = open();
    vi.spyOn(silent, 'take').mockImplementation(async () => {
      await world.sleep(5_000);
      throw new StoreError('unavailable', 'Redis is down.');
    });
    start(async () => {}, silent, { idle });
    await world.advance(120_000);
    expect(left).toEqual([]);
  });
});
