import type {
  Captions,
  DecodeStage,
  EncodeOutcome,
  EncodeStage,
  Features,
} from '@cutline/inference';
import {
  Breaker,
  BrokenWorkerError,
  type DecodeJob,
  decodeAtOnce,
  decodeBatch,
  decodeJobSchema,
  type EncodeBatchContext,
  type EncodeJob,
  encodeBatch,
  encodeJobSchema,
  handOverToDecoders,
  inFlight,
  type KeptFeaturesRef,
  MemoryBoard,
  MemoryFeatures,
  MemoryQueueServer,
  type Queues,
  UnwantedJobError,
} from '@cutline/pipeline';
import { createLogger, Metrics } from '@cutline/shared/process';
import { countRows, type ImageRef, jobId, type PartRow, RunStore } from '@cutline/shared/run';
import { MemoryStore, type ObjectStore, type PutOptions, StoreError } from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeJob, imagesOf } from './support/example-jobs.ts';
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
  queues = openQueues();
  features = new MemoryFeatures({ ttlMs: 24 * 3_600_000, world });
  output = new MemoryStore('s3://captions');
  breaker = new Breaker();
  isWanted = true;
});

/** Of another Redis each time. */
function openQueues(): Queues {
  const server = new MemoryQueueServer();
  const open = (stage: 'encode' | 'decode') =>
    server.open<EncodeJob & DecodeJob>({ stage, model, lockMs: 30_000, world });
  return { encode: open('encode'), decode: open('decode') } as unknown as Queues;
}

const jobContext = (deaths = 0, { wasTaken = deaths > 0 } = {}) => ({
  ...{ deaths, wasTaken },
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

/** Of the features of a job that are in flight. */
const nameOf = (job: DecodeJob | undefined) => (job && inFlight(job)?.name) ?? '';

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
    metrics: new Metrics(),
    handOver: handOverToDecoders({
      ...{
        model,
        features,
        queues,
        board: new MemoryBoard({ world }),
        metrics: new Metrics(),
        world,
      },
      onStored: () => {},
    }),
    ...{ queues, breaker, world },
    ...options,
  });

const captionOf = (caption: string): Captions => ({
  caption,
  logProb: -1,
  score: -1,
  candidates: [{ caption, logProb: -1, score: -1 }],
});

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
    openFeatures: async () => features,
    remainderDelayMs: 30_000,
    ...{ queues, breaker },
  });

/** Of the part of an attempt. */
async function rowsOf(attempt = '0'): Promise<PartRow[]> {
  const run = new RunStore(output, 'a/', 'r1');
  const key = run.partKey(0, attempt);
  return (await run.readPart({ batch: 0, attempt, key })).rows;
}

describe('images of the content of others', () => {
  const [a, b, c, d] = imagesOf('a', 'b', 'c', 'd') as [ImageRef, ImageRef, ImageRef, ImageRef];
  /** `c` is in batch 3, under the key `z`; `b` is `a` again, `d` is like one that is not done. */
  const images = [
    a,
    { ...b, etag: a.etag, sameAs: 0, source: { id: '2' } },
    { ...c, sameAs: 3 },
    { ...d, sameAs: 4 },
  ];
  const original: PartRow = {
    ...{ key: 'z', etag: c.etag, status: 'captioned', ...captionOf('a mill') },
    ...{ width: 2, height: 3, model, warnings: ['blank', 'no .txt sidecar'] },
    ...{ source: { id: '9' }, sidecars: { txt: 'kept' } },
  };
  const run = () => new RunStore(output, 'a/', 'r1');
  const decode = async (attempt = '0') => {
    await encoder()(encodeJob({ images, attempt }), jobContext());
    const [job] = await decodeJobs();
    await decoder()(job as DecodeJob, jobContext());
    return job;
  };

  test('are not encoded, and get the caption of those, which they name', async () => {
    await run().createPart(3, '0', [original]);
    const job = await decode();
    expect(job?.images.map(({ key }) => key)).toEqual(['a']);
    const rows = await rowsOf();
    expect(rows.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect(rows[1]).toMatchObject({ caption: 'caption 0', duplicateOf: 'a', source: { id: '2' } });
    expect(rows[2]).toEqual({
      ...{ key: 'c', etag: c.etag, status: 'captioned', ...captionOf('a mill') },
      ...{ width: 2, height: 3, model, duplicateOf: 'z', warnings: ['blank'] },
    });
    expect(countRows(rows)).toMatchObject({ captioned: 3, duplicates: 2, blank: 1 });
  });

  test('wait for those that have none yet, and are captioned themselves in the end', async () => {
    await decode();
    const [remainder] = await encodeJobs();
    expect(remainder?.attempt).toBe('0r');
    expect(remainder?.images).toEqual([images[2], images[3]]);
    const last = await decode('0rrr');
    expect(last?.images.map(({ status }) => status)).toEqual(Array(4).fill('encoded'));
    expect(last?.same).toBeUndefined();
  });

  test('are no copies of themselves, where another attempt has captioned them', async () => {
    await run().createPart(3, '0', [{ ...original, key: 'c' }]);
    await decode();
    expect((await rowsOf()).map(({ key }) => key)).toEqual(['a', 'b']);
  });

  test('are not given the caption of a failure, nor that of another ETag', async () => {
    const failure = { class: 'corrupt', message: 'cut off' } as const;
    await run().createPart(3, '0', [
      { key: 'z', etag: c.etag, status: 'failed', failure },
      { ...original, etag: 'another' } as PartRow,
    ]);
    await decode();
    expect((await rowsOf()).map(({ key }) => key)).toEqual(['a', 'b']);
  });

  test('have one row when their batch is tried twice, before and after there is a caption', async () => {
    const job = (await decode()) as DecodeJob;
    await run().createPart(3, '0', [original]);
    await decoder()(job, jobContext());
    expect((await rowsOf()).map(({ key }) => key)).toEqual(['a', 'b']);
    const remainders = await encodeJobs();
    expect(remainders.map(({ attempt }) => attempt)).toEqual(['0r']);
    expect(remainders[0]?.images.map(({ key }) => key)).toEqual(['c', 'd']);
  });
});

describe('a batch to encode', () => {
  test('becomes features and one decode job', async () => {
    await encoder()(encodeJob(), jobContext());
    const [job] = await decodeJobs();
    expect(job?.images.map(({ status }) => status)).toEqual(Array(5).fill('encoded'));
    expect(await features.get(nameOf(job))).toBeDefined();
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

  test('clears away what an encoder left that died before it had handed it over', async () => {
    await features.put(`${jobId(encodeJob())}.left`, Buffer.alloc(100));
    await encoder()(encodeJob({ batch: 1 }), jobContext());
    await encoder()(encodeJob(), jobContext(0, { wasTaken: true }));
    expect(await features.get(`${jobId(encodeJob())}.left`)).toBeUndefined();
    const jobs = await decodeJobs();
    expect(jobs).toHaveLength(2);
    for (const job of jobs) expect(await features.get(nameOf(job))).toBeDefined();
  });
});

describe('a batch to decode', () => {
  /** A decode job, with its features. */
  async function encoded(keys: string[], more: Partial<DecodeJob> = {}): Promise<DecodeJob> {
    const images = encodeJob().images.filter(({ key }) => keys.includes(key));
    const { attempt = '0' } = more;
    await encoder()(encodeJob({ images, sidecars: [], attempt }), jobContext());
    const [job] = await decodeJobs();
    return { ...(job as DecodeJob), ...more };
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

  test('and of a blank image that fails, its row can be written', async () => {
    const job = await encoded(['a'], { attempt: '0a' });
    const images = job.images.map((image) => ({ ...image, warnings: ['blank'] })) as never;
    const fails = async () => Promise.reject(new TypeError('of all things'));
    await decoder({ decode: fails })({ ...job, images }, jobContext());
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
    const name = nameOf(job);
    const blob = await features.get(name);
    await decoder()(job, jobContext());
    await features.put(name, blob as Buffer);
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

describe('a batch of a run that keeps its features', () => {
  const keep = { store: 's3://captions', prefix: 'a/', encoder: 'e' };

  /** A decode job whose features were kept, and are numbered. */
  async function encoded(more: Partial<DecodeJob> = {}): Promise<DecodeJob> {
    const encode: EncodeStage['encode'] = async (images, store) => {
      const { outcomes, features: found } = await encodeAll(images, store);
      const payload = Uint8Array.from({ length: 4 * images.length }, (_, at) => at >> 2);
      return { outcomes, features: { ...found!, payload } as Features };
    };
    const openStore = async () => output;
    await encoder({ encode, openStore })(encodeJob({ keep, sidecars: [] }), jobContext());
    const [job] = await decodeJobs();
    return { ...(job as DecodeJob), ...more };
  }

  /** Says the numbers of the features that it gets. */
  const decode: DecodeStage['decode'] = async ({ payload, shape: [count] }) =>
    Array.from({ length: count }, (_, n) => captionOf(`features ${payload[4 * n]}`));

  test('has them where it says, and not in flight; they stay when it has its part', async () => {
    const job = await encoded();
    expect(await features.bytesInFlight()).toBe(0);
    await decoder({ decode })(job, jobContext());
    expect(await rowsOf()).toMatchObject(
      [0, 1, 2, 3, 4].map((n) => ({ caption: `features ${n}` })),
    );
    expect(await output.head((job.features as KeptFeaturesRef).pieces[0]!.key)).toBeDefined();
  });

  test('is encoded again where they are lost, and the images are there', async () => {
    const job = await encoded();
    await output.delete((job.features as KeptFeaturesRef).pieces[0]!.key);
    await decoder({ decode })(job, jobContext());
    expect(await encodeJobs()).toMatchObject([
      { attempt: '0e', keep, images: [{}, {}, {}, {}, {}] },
    ]);
  });

  test('is halved with them, where there are no images', async () => {
    const fails: DecodeStage['decode'] = async (given, options) => {
      if ([...given.payload].includes(3)) throw new TypeError('of all things');
      return decode(given, options);
    };
    const handle = decoder({ decode: fails });
    let todo = [await encoded({ source: null })];
    const attempts: string[] = [];
    while (todo.length > 0) {
      for (const job of todo) await handle(job, jobContext());
      todo = await decodeJobs();
      attempts.push(...todo.map(({ attempt }) => attempt));
    }
    expect(await encodeJobs()).toEqual([]);
    expect(attempts).toEqual(['0a', '0b', '0ba', '0bb']);
    expect(await rowsOf('0a')).toMatchObject([0, 1, 2].map((n) => ({ caption: `features ${n}` })));
    expect(await rowsOf('0ba')).toMatchObject([{ key: 'd', failure: { class: 'internal' } }]);
    expect(await rowsOf('0bb')).toMatchObject([{ key: 'e', caption: 'features 4' }]);
  });

  const deny = async (denied: string) => {
    const { get } = output;
    output.get = async (key, options) => {
      if (key === denied) throw new StoreError('access-denied', 'It may not be read.');
      return get.call(output, key, options);
    };
  };

  test('stays with the worker’s operator where they are denied, and there are images', async () => {
    const job = await encoded();
    await deny((job.features as KeptFeaturesRef).pieces[0]!.key);
    await expect(decoder({ decode })(job, jobContext())).rejects.toThrow('It may not be read.');
    expect([...(await encodeJobs()), ...(await decodeJobs())]).toEqual([]);
  });

  test.each<[string, (key: string) => Promise<unknown>, string]>([
    ['gone', (key) => output.delete(key), 'not-found'],
    ['changed', (key) => output.put(key, Buffer.from('others')), 'corrupt'],
    ['denied', (key) => deny(key), 'access-denied'],
  ])('fails where they are %s, and there are no images', async (_, harm, failureClass) => {
    const job = await encoded({ source: null });
    await harm((job.features as KeptFeaturesRef).pieces[0]!.key);
    let todo = [job];
    for (; todo.length > 0; todo = await decodeJobs()) {
      for (const each of todo) await decoder({ decode })(each, jobContext());
    }
    const parts = await new RunStore(output, 'a/', 'r1').listParts();
    const rows = await Promise.all(parts.map(({ attempt }) => rowsOf(attempt)));
    expect(rows.flat().map((row) => row.status === 'failed' && row.failure.class)).toEqual(
      Array(5).fill(failureClass),
    );
  });
});

describe('a batch of a worker of both stages', () => {
  const captioner = ({
    encode = encodeAll,
    decode = decodeAll,
    prove = async () => {},
  }: Partial<Pick<EncodeStage, 'encode'> & Pick<DecodeStage, 'decode' | 'prove'>> = {}) => {
    const shared = {
      openStore: async () => output,
      ...{ queues, world, board: new MemoryBoard({ world }), metrics: new Metrics() },
    };
    const handOver = decodeAtOnce({
      ...{ ...shared, stage: { model, decode, prove }, breaker: new Breaker() },
      remainderDelayMs: 30_000,
    });
    const stage = { model, encode, prove: async () => {} };
    return encodeBatch({ ...shared, stage, breaker, handOver });
  };

  /** Images of those keys answer; of the others, the store does not. */
  const answering =
    (...keys: string[]): EncodeStage['encode'] =>
    async (images, store) => {
      const there = images.filter(({ key }) => keys.includes(key));
      const encoded = await encodeAll(there, store);
      return {
        ...encoded,
        features: there.length > 0 ? encoded.features : undefined,
        outcomes: images.map(({ key }): EncodeOutcome => {
          const place = there.findIndex((image) => image.key === key);
          return encoded.outcomes[place] ?? { status: 'deferred', message: 'it is down' };
        }),
      };
    };

  const batch = (fields: Partial<EncodeJob> = {}) => encodeJob({ sidecars: [], ...fields });

  test('becomes a part, and nothing is in flight or in the other queue', async () => {
    await captioner()(batch(), jobContext());
    expect(await rowsOf()).toMatchObject([0, 1, 2, 3, 4].map((n) => ({ caption: `caption ${n}` })));
    expect(await features.bytesInFlight()).toBe(0);
    expect(await decodeJobs()).toEqual([]);
  });

  test('has images that wait enqueued later', async () => {
    await captioner({ encode: answering('a', 'c') })(batch(), jobContext());
    expect((await rowsOf()).map(({ key }) => key)).toEqual(['a', 'c']);
    const [remainder, ...others] = await encodeJobs();
    expect(others).toEqual([]);
    expect(remainder).toMatchObject({ attempt: '0r', images: imagesOf('b', 'd', 'e') });
  });

  test('that is tried again keeps its part, and what that has no row of comes later', async () => {
    await captioner({ encode: answering('a', 'b') })(batch(), jobContext());
    queues = openQueues(); // the worker died before it had enqueued the remainder
    await captioner({ encode: answering('b', 'c', 'd') })(batch(), jobContext());
    expect((await rowsOf()).map(({ key }) => key)).toEqual(['a', 'b']);
    const [remainder] = await encodeJobs();
    expect(remainder?.images.map(({ key }) => key).toSorted()).toEqual(['c', 'd', 'e']);
  });

  test('on which decoding throws is halved, down to the image that does it', async () => {
    const encode: EncodeStage['encode'] = async (images, store) => {
      const { outcomes, features: found } = await encodeAll(images, store);
      const payload = Uint8Array.from(
        images.flatMap(({ key }) => Array(4).fill(key.charCodeAt(0))),
      );
      return { outcomes, features: { ...found!, payload } as Features };
    };
    const decode: DecodeStage['decode'] = async (given, options) => {
      if ([...given.payload].includes('c'.charCodeAt(0))) throw new TypeError('of all things');
      return decodeAll(given, options);
    };
    const handle = captioner({ encode, decode });
    const attempts = ['0'];
    for (let todo: EncodeJob[] = [batch()]; todo.length > 0; todo = await encodeJobs()) {
      for (const job of todo) await handle(job, jobContext());
      attempts.push(...todo.map(({ attempt }) => attempt).filter((each) => each !== '0'));
    }
    const parts = await new RunStore(output, 'a/', 'r1').listParts();
    const rows = (await Promise.all(parts.map(({ attempt }) => rowsOf(attempt)))).flat();
    expect(rows.map(({ key }) => key).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(rows.filter(({ status }) => status === 'failed')).toMatchObject([
      { key: 'c', failure: { class: 'internal' } },
    ]);
  });

  test('whose decoder fails on everything stops the worker, though its encoder is well', async () => {
    const fails = async () => Promise.reject(new TypeError('of all things'));
    const handle = captioner({ decode: fails });
    for (let n = 0; n < 9; n++) await handle(batch({ batch: n }), jobContext());
    await expect(handle(batch({ batch: 9 }), jobContext())).rejects.toThrow(BrokenWorkerError);
    const single = batch({ images: imagesOf('a') });
    const proven = captioner({ decode: fails, prove: fails });
    await expect(proven(single, jobContext())).rejects.toThrow(/it is no image's fault/);
  });

  test('that nobody wants any more leaves nothing', async () => {
    isWanted = false;
    await expect(captioner()(batch(), jobContext())).rejects.toThrow(UnwantedJobError);
    await expect(rowsOf()).rejects.toThrow('There is no object');
  });

  test('of a run that keeps its features decodes those that are kept', async () => {
    const keep = { store: 's3://captions', prefix: 'a/', encoder: 'e' };
    await captioner({ encode: answering('a', 'b') })(batch({ keep }), jobContext());
    await output.delete('a/runs/r1/parts/000000.jsonl');
    queues = openQueues();
    await captioner({ encode: answering('b', 'c') })(batch({ keep }), jobContext());
    expect((await rowsOf()).map(({ key }) => key)).toEqual(['a', 'b']);
    const [remainder] = await encodeJobs();
    expect(remainder?.images.map(({ key }) => key).toSorted()).toEqual(['c', 'd', 'e']);
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
