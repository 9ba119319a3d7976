import type { Captions, DecodeStage, EncodeStage } from '@cutline/inference';
import {
  Breaker,
  BrokenWorkerError,
  type DecodeJob,
  decodeBatch,
  decodeJobSchema,
  type EncodeBatchContext,
  type EncodeJob,
  encodeBatch,
  encodeJobSchema,
  MemoryBoard,
  MemoryFeatures,
  MemoryQueueServer,
  type Queues,
  UnwantedJobError,
} from '@cutline/pipeline';
import { createLogger, Metrics } from '@cutline/shared/process';
import { type PartRow, RunStore } from '@cutline/shared/run';
import { MemoryStore, type ObjectStore, type PutOptions, StoreError } from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeJob } from './support/example-jobs.ts';
import { ManualWorld } from './support/manual-world.ts';

/** A batch in each stage, over queues, features and stores in memory. */

const model = 'tiny@0123456789ab';
const log = createLogger({ process: 'test', level: 'silent' });

let world: ManualWorld;
let queues: Queues;
let features: MemoryFeatures;
let output: MemoryStore;
let breaker: Breaker;
let isWanted: boolean;

beforeEach(() => {
  world = new ManualWorld();
  const server = new MemoryQueueServer();
  const open = (stage: 'encode' | 'decode') =>
    server.open<EncodeJob & DecodeJob>({ stage, model, lockMs: 30_000, world });
  queues = { encode: open('encode'), decode: open('decode') } as unknown as Queues;
  features = new MemoryFeatures({ ttlMs: 24 * 3_600_000, world });
  output = new MemoryStore('s3://captions');
  breaker = new Breaker();
  isWanted = true;
});

const jobContext = (deaths = 0) => ({
  deaths,
  log,
  requireWanted: async () => {
    if (!isWanted) throw new UnwantedJobError('the run was cancelled');
  },
});

/** All jobs of a queue, in their order, as workers get them. */
async function drain<J>(
  queue: Queues['encode'] | Queues['decode'],
  schema: { parse(data: unknown): J },
): Promise<J[]> {
  const jobs: J[] = [];
  await world.advance(3_600_000); // what is delayed falls due
  for (;;) {
    const taken = await world.settle(queue.take(0));
    if (!taken) return jobs;
    jobs.push(schema.parse(taken.data));
    await queue.finish(taken);
  }
}

const encodeJobs = () => drain(queues.encode, encodeJobSchema);
const decodeJobs = () => drain(queues.decode, decodeJobSchema);

/** Four bytes of features an image. */
const encodeAll: EncodeStage['encode'] = async (images) => ({
  outcomes: images.map(({ etag }) => ({
    status: 'encoded',
    etag: etag ?? 'none',
    width: 1,
    height: 1,
  })),
  features: {
    dtype: 'float16',
    shape: [images.length, 1, 2],
    payload: new Uint8Array(4 * images.length),
  },
});

const encoder = ({
  encode = encodeAll,
  prove = async () => {},
  ...options
}: Partial<EncodeBatchContext> & Partial<Pick<EncodeStage, 'encode' | 'prove'>> = {}) =>
  encodeBatch({
    stage: { model, encode, prove },
    openStore: async (url) => new MemoryStore(url),
    onStored: () => {},
    board: new MemoryBoard({ world }),
    metrics: new Metrics(),
    ...{ features, queues, breaker, world },
    ...options,
  });

describe('a batch to encode', () => {
  test('becomes features and one decode job', async () => {
    await encoder()(encodeJob(), jobContext());
    const [job] = await decodeJobs();
    expect(job?.images.map(({ status }) => status)).toEqual(Array(5).fill('encoded'));
    expect(await features.get(job?.features ?? '')).toBeDefined();
  });

  test('of a source that is not there waits for it, and stops no worker', async () => {
    const missing = new StoreError('misconfigured', 'There is no bucket s3://archive.', {
      isMissingStore: true,
    });
    const openStore = async () => Promise.reject(missing);
    await encoder({ openStore })(encodeJob(), jobContext());
    const [job] = await decodeJobs();
    expect(job).toMatchObject({ images: [], features: null });
    expect(job?.deferred).toHaveLength(5);
  });

  test('that was waited for five times fails as unavailable', async () => {
    const encode = async (images: readonly unknown[]) => ({
      outcomes: images.map(() => ({ status: 'deferred' as const, message: 'it is down' })),
      features: undefined,
    });
    await encoder({ encode })(encodeJob({ attempt: '0rrrrr' }), jobContext());
    const [job] = await decodeJobs();
    const failure = { class: 'unavailable', message: 'it is down' };
    expect(job?.images.map((image) => 'failure' in image && image.failure)).toEqual(
      Array(5).fill(failure),
    );
  });

  test('on which an engine throws is halved, down to the image that does it', async () => {
    const encode: EncodeStage['encode'] = async (images, store) => {
      if (images.some(({ key }) => key === 'c')) throw new TypeError('of all things');
      return encodeAll(images, store);
    };
    const handle = encoder({ encode });
    await handle(encodeJob(), jobContext());
    const done: DecodeJob[] = [];
    for (let todo = await encodeJobs(); todo.length > 0; todo = await encodeJobs()) {
      for (const job of todo) await handle(job, jobContext());
      done.push(...(await decodeJobs()));
    }
    const images = done.flatMap((job) => job.images);
    expect(images.map(({ key }) => key).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(images.filter(({ status }) => status === 'failed')).toEqual([
      {
        key: 'c',
        etag: 'etag-c',
        status: 'failed',
        failure: { class: 'internal', message: 'of all things' },
      },
    ]);
  });

  test('is not blamed by a worker whose engine fails on everything', async () => {
    const fails = async () => Promise.reject(new TypeError('of all things'));
    const handle = encoder({ encode: fails, prove: fails });
    const single = encodeJob({ images: encodeJob().images.slice(0, 1) });
    await expect(handle(single, jobContext())).rejects.toThrow(BrokenWorkerError);
    expect(await decodeJobs()).toEqual([]);
    expect(await encodeJobs()).toEqual([]);
  });

  test('that killed two workers is halved, and an image that did fails as worker-lost', async () => {
    const handle = encoder();
    await handle(encodeJob(), jobContext(2));
    expect((await encodeJobs()).map(({ attempt }) => attempt)).toEqual(['0a', '0b']);
    const single = encodeJob({ images: encodeJob().images.slice(0, 1) });
    await handle(single, jobContext(2));
    const [job] = await decodeJobs();
    expect(job?.images[0]).toMatchObject({ failure: { class: 'worker-lost' } });
  });

  test('leaves nothing behind where the run does not want it any more', async () => {
    isWanted = false;
    await expect(encoder()(encodeJob(), jobContext())).rejects.toThrow(UnwantedJobError);
    expect(await features.bytesInFlight()).toBe(0);
    expect(await decodeJobs()).toEqual([]);
  });

  test('that is handed over a second time leaves no features to expire', async () => {
    await encoder()(encodeJob(), jobContext());
    const bytes = await features.bytesInFlight();
    await encoder()(encodeJob(), jobContext());
    expect(await features.bytesInFlight()).toBe(bytes);
    expect(await decodeJobs()).toHaveLength(1);
  });
});

describe('a batch to decode', () => {
  const captionOf = (caption: string): Captions => ({
    caption,
    logProb: -1,
    score: -1,
    candidates: [{ caption, logProb: -1, score: -1 }],
  });

  /** A decode job, with its features. */
  async function encoded(keys: string[], more: Partial<DecodeJob> = {}): Promise<DecodeJob> {
    const images = encodeJob().images.filter(({ key }) => keys.includes(key));
    const { attempt = '0' } = more;
    await encoder()(encodeJob({ images, sidecars: [], attempt }), jobContext());
    const [job] = await decodeJobs();
    return { ...(job as DecodeJob), ...more };
  }

  const decodeAll: DecodeStage['decode'] = async ({ shape: [count] }) =>
    Array.from({ length: count }, (_, i) => captionOf(`caption ${i}`));

  const decoder = ({
    decode = decodeAll,
    store = output as ObjectStore,
    prove = async () => {},
  } = {}) =>
    decodeBatch({
      stage: { model, decode, prove },
      openStore: async () => store,
      board: new MemoryBoard({ world }),
      metrics: new Metrics(),
      remainderDelayMs: 30_000,
      ...{ features, queues, breaker },
    });

  async function rowsOf(attempt = '0'): Promise<PartRow[]> {
    const run = new RunStore(output, 'a/', 'r1');
    const key = run.partKey(0, attempt);
    return (await run.readPart({ batch: 0, attempt, key })).rows;
  }

  test('becomes a part, and its features go', async () => {
    await decoder()(await encoded(['a', 'b']), jobContext());
    expect(await rowsOf()).toMatchObject([
      { key: 'a', caption: 'caption 0' },
      { key: 'b', caption: 'caption 1' },
    ]);
    expect(await features.bytesInFlight()).toBe(0);
  });

  test('whose sidecar the store cannot hold has its rows, with a warning', async () => {
    const store = {
      head: (key: string) => output.head(key),
      list: (prefix?: string) => output.list(prefix),
      put: async (key: string, bytes: Uint8Array, options?: PutOptions) => {
        if (key.endsWith('a.txt')) throw new StoreError('refused', 'The name is too long.');
        return output.put(key, bytes, options);
      },
    } as Partial<ObjectStore> as ObjectStore;
    await decoder({ store })(await encoded(['a', 'b'], { sidecars: ['txt'] }), jobContext());
    expect(await rowsOf()).toMatchObject([
      { key: 'a', status: 'captioned', warnings: ['no .txt sidecar: The name is too long.'] },
      { key: 'b', status: 'captioned' },
    ]);
  });

  test('with a score that is no number is halved, and the image fails alone', async () => {
    const decode: DecodeStage['decode'] = async ({ shape: [count] }) =>
      Array.from({ length: count }, (_, i) => ({
        ...captionOf('fine'),
        score: i === 0 ? Number.NaN : -1,
      }));
    const handle = decoder({ decode });
    await handle(await encoded(['a', 'b']), jobContext());
    expect((await encodeJobs()).map(({ attempt }) => attempt)).toEqual(['0a', '0b']);
    await handle(await encoded(['a'], { attempt: '0a' }), jobContext());
    expect(await rowsOf('0a')).toMatchObject([{ key: 'a', failure: { class: 'internal' } }]);
  });

  test('whose engine fails on everything blames no image', async () => {
    const fails = async () => Promise.reject(new TypeError('of all things'));
    const handle = decoder({ decode: fails, prove: fails });
    await expect(handle(await encoded(['a']), jobContext())).rejects.toThrow(BrokenWorkerError);
    await expect(rowsOf()).rejects.toThrow('There is no object');
  });

  test('that has a part keeps it', async () => {
    const job = await encoded(['a']);
    const blob = await features.get(job.features ?? '');
    await decoder()(job, jobContext());
    await features.put(job.features ?? '', blob as Buffer);
    const others = async () => [captionOf('another caption')];
    await decoder({ decode: others })(job, jobContext());
    expect(await rowsOf()).toMatchObject([{ caption: 'caption 0' }]);
  });

  test('that nobody wants any more writes nothing', async () => {
    const job = await encoded(['a']);
    isWanted = false;
    await expect(decoder()(job, jobContext())).rejects.toThrow(UnwantedJobError);
    await expect(rowsOf()).rejects.toThrow('There is no object');
  });

  test('whose features are gone is encoded again', async () => {
    const job = await encoded(['a', 'b']);
    features.flush();
    await decoder()(job, jobContext());
    expect(await encodeJobs()).toMatchObject([{ attempt: '0e', images: [{}, {}] }]);
  });

  test('has images that wait enqueued later, and longer each time', async () => {
    const deferred = encodeJob().images.slice(3);
    await decoder()(await encoded(['a'], { deferred }), jobContext());
    expect(await encodeJobs()).toMatchObject([{ attempt: '0r', images: deferred }]);
  });
});

test('a worker stops after ten failures in a row that nobody foresaw, not before', () => {
  const fails = (times: number) => {
    for (let i = 0; i < times; i++) breaker.failed(new TypeError('of all things'));
  };
  fails(9);
  breaker.succeeded();
  fails(9);
  expect(() => fails(1)).toThrow(BrokenWorkerError);
});
