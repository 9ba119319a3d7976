import {
  MemoryStore,
  type ObjectStore,
  type PatientOptions,
  patientStore,
  StoreError,
} from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';

/** A store that fails on demand, and a world in which waiting takes no time. */

const outage = () => new StoreError('unavailable', 'The S3 server failed to answer.');

let memory: MemoryStore;
/** What becomes of the next operations, in order: before or after they took effect. */
let faults: ('before' | 'after' | undefined)[];
let flaky: ObjectStore;
let calls: string[];
let nowMs: number;
let pauses: number[];
let told: (string | number)[];

const world = {
  now: () => nowMs,
  async sleep(ms: number, signal?: AbortSignal) {
    signal?.throwIfAborted();
    pauses.push(ms);
    nowMs += ms;
  },
  random: () => 1,
};

beforeEach(() => {
  memory = new MemoryStore();
  faults = [];
  calls = [];
  pauses = [];
  told = [];
  nowMs = 1_000_000;
  const faulty =
    <Args extends unknown[], Result>(name: string, work: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      calls.push(name);
      const fault = faults.shift();
      if (fault === 'before') throw outage();
      const result = await work(...args);
      if (fault === 'after') throw outage();
      return result;
    };
  flaky = {
    url: memory.url,
    async *list(prefix, options) {
      calls.push(`list after ${options?.startAfter}`);
      let given = 0;
      for await (const info of memory.list(prefix, options)) {
        if (given++ % 2 === 1 && faults.shift()) throw outage();
        yield info;
      }
    },
    get: faulty('get', memory.get.bind(memory)),
    head: faulty('head', memory.head.bind(memory)),
    put: faulty('put', memory.put.bind(memory)),
    delete: faulty('delete', memory.delete.bind(memory)),
    check: faulty('check', memory.check.bind(memory)),
    close: () => {},
  };
});

const patient = (options: PatientOptions = {}) =>
  patientStore(flaky, world, {
    onWait: (error) => told.push(error.message),
    onOver: (ms) => told.push(ms),
    ...options,
  });
const bytes = Buffer.from('x');
const times = (n: number, fault: 'before' | 'after' = 'before') => Array(n).fill(fault);

test('every operation is tried until it works, and an outage is told of once', async () => {
  const store = patient();
  faults = times(3);
  await store.put('k', bytes);
  faults = times(2);
  expect((await store.get('k')).bytes).toEqual(bytes);
  faults = times(1);
  expect(await store.head('k')).toMatchObject({ key: 'k' });
  faults = times(1, 'after');
  await store.delete('k');
  expect(await memory.head('k')).toBeUndefined();
  const message = outage().message;
  expect(told).toEqual([message, 3_500, message, 1_500, message, 500, message, 500]);
});

test('pauses double from half a second to a minute, each from a half to the whole', async () => {
  faults = times(10);
  await patient().put('k', bytes);
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  pauses = [];
  faults = times(2);
  await patientStore(flaky, { ...world, random: () => 0 }).put('k', bytes);
  expect(pauses).toEqual([250, 500]);
});

test('without end: a day is nothing', async () => {
  faults = times(2_000);
  await patient().put('k', bytes);
  expect(nowMs - 1_000_000).toBeGreaterThan(24 * 3600 * 1000);
});

test('up to the deadline, where there is one', async () => {
  faults = times(100);
  await expect(patient({ deadlineMs: 10_000 }).get('k')).rejects.toMatchObject({
    reason: 'unavailable',
  });
  expect(pauses).toEqual([500, 1000, 2000, 4000]);
  expect(told).toHaveLength(1); // it is not over
});

test('what will not change is thrown at once', async () => {
  await expect(patient().get('missing')).rejects.toMatchObject({ reason: 'not-found' });
  await memory.put('k', bytes);
  await expect(patient().put('k', bytes, { ifAbsent: true })).rejects.toMatchObject({
    reason: 'exists',
  });
  expect(calls).toEqual(['get', 'put']);
  faults = ['before'];
  await expect(patient().get('missing')).rejects.toMatchObject({ reason: 'not-found' });
  expect(told).toEqual([outage().message, 500]); // the store has answered
});

test('several that wait are one outage', async () => {
  const store = patient();
  faults = times(5);
  await Promise.all([store.put('a', bytes), store.put('b', bytes), store.put('c', bytes)]);
  expect(told).toEqual([outage().message, expect.any(Number)]);
});

test('check asks about now', async () => {
  faults = times(1);
  await expect(patient().check()).rejects.toMatchObject({ reason: 'unavailable' });
  expect(pauses).toEqual([]);
});

test('an abort ends the waiting', async () => {
  const reason = new Error('the worker stops');
  const controller = new AbortController();
  const sleep = (_ms: number, signal?: AbortSignal) =>
    new Promise<void>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  faults = times(2);
  const store = patientStore(flaky, { ...world, sleep }, { signal: controller.signal });
  const getting = store.get('k', { signal: new AbortController().signal });
  const putting = store.put('k', bytes);
  setImmediate(() => controller.abort(reason));
  await expect(getting).rejects.toBe(reason);
  await expect(putting).rejects.toBe(reason);
});

test('a listing goes on after the last key that it gave', async () => {
  for (const key of ['p/1', 'p/2', 'p/3', 'p/4', 'q']) await memory.put(key, bytes);
  faults = [...times(3)];
  const keys: string[] = [];
  for await (const { key } of patient().list('p/', { startAfter: 'p/0' })) keys.push(key);
  expect(keys).toEqual(['p/1', 'p/2', 'p/3', 'p/4']);
  expect(calls).toEqual(['p/0', 'p/1', 'p/2', 'p/3'].map((key) => `list after ${key}`));
  expect(told).toEqual(Array(3).fill([outage().message, 500]).flat());
});

describe('a put with a condition whose reply was lost', () => {
  test('is done where the object is its own', async () => {
    faults = ['after'];
    const { etag } = await patient().put('k', bytes, { ifAbsent: true });
    expect(await memory.head('k')).toMatchObject({ etag });

    faults = ['after', 'before', undefined, 'before'];
    const next = await patient().put('k', Buffer.from('y'), { ifMatch: etag });
    expect(await memory.head('k')).toMatchObject({ etag: next.etag });
    expect(calls.slice(-5)).toEqual(['put', 'put', 'put', 'get', 'get']);
  });

  test.each(['another', 'xx', 'y', ''])('is refused where another wrote "%s"', async (text) => {
    faults = ['before', undefined];
    const sleep = world.sleep;
    const meanwhile = {
      ...world,
      async sleep(ms: number) {
        await memory.put('k', Buffer.from(text));
        await sleep(ms);
      },
    };
    const store = patientStore(flaky, meanwhile);
    await expect(store.put('k', bytes, { ifAbsent: true })).rejects.toMatchObject({
      reason: 'exists',
    });
    expect((await memory.get('k')).bytes.toString()).toBe(text);
  });
});
