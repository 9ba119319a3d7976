import {
  Breaker,
  decodeAtOnce,
  driveRun,
  type EncodeJob,
  encodeBatch,
  encodeJobSchema,
  listPrices,
  MemoryBoard,
  MemoryQueueServer,
  planOf,
  type Requests,
  surveyListing,
} from '@cutline/pipeline';
import { loadParquet } from '@cutline/shared/parquet';
import { createLogger, Metrics } from '@cutline/shared/process';
import type { Run } from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';
import { exampleRun } from '../../shared/test/support/example-run.ts';
import { CountingStore } from './support/counting-store.ts';
import { ManualWorld } from './support/manual-world.ts';

/**
 * What a plan says of requests, against what a run asks of its stores: in memory, with a worker of
 * both stages that computes nothing. Were the pipeline to ask for more, or less, this says so.
 */

const candidate = { caption: 'a photograph', logProb: -1, score: -1 };
const kinds = ['list', 'get', 'head', 'put', 'delete'] as const;

/** A store as S3 is: it is asked by a listing whether it is there. */
class CheckedStore extends CountingStore {
  override async check(): Promise<void> {
    this.requests.push({ operation: 'list', key: '' });
  }

  override async delete(key: string): Promise<void> {
    this.requests.push({ operation: 'delete', key });
    await super.delete(key);
  }
}

/** In S3, who puts first finds out whether it knows conditions: the producer, and a worker. */
const processes = 2;

/** Of each store in the run, and in the plan. */
async function compare(images: number, fields: Partial<Run>) {
  const run: Run = { ...exampleRun, batchSize: 8, chunkBatches: 8, ...fields };
  const archive = new CheckedStore(run.source.store);
  const captions = new CheckedStore('s3://captions');
  for (let n = 0; n < images; n++) {
    await archive.put(`${String(n).padStart(6, '0')}.jpg`, Buffer.from('-'));
  }
  const selected = [{ store: archive, prefix: '' }, run.selection] as const;
  const surveyed = await surveyListing([...selected], { size: 10, seed: 1 });
  const plan = planOf({
    ...{ run, window: 8, surveyed, trial: undefined, output: captions.url, prices: listPrices },
    model: { kind: 'served' } as never, // nothing of it counts here
    ...{ workers: { captioners: 1 }, features: { home: 'redis', bytesMax: 1e9 }, now: new Date() },
  });
  archive.reset();
  await drive(run, archive, captions);
  const counted = (store: CountingStore) =>
    Object.fromEntries(kinds.map((kind) => [kind, store.count(kind)])) as Requests;
  const output = counted(captions);
  output.head += processes;
  output.put += processes;
  return {
    counted: { source: counted(archive), output },
    planned: plan.estimate.requests,
  };
}

async function drive(run: Run, archive: CountingStore, captions: CountingStore): Promise<void> {
  await loadParquet(); // which takes time, of which the run's world knows nothing
  const world = new ManualWorld();
  const server = new MemoryQueueServer();
  const open = (stage: 'encode' | 'decode') =>
    server.open<EncodeJob>({ stage, model: run.model, lockMs: 30_000, world });
  const queues = { encode: open('encode'), decode: open('decode') as never };
  const board = new MemoryBoard({ world });
  const metrics = new Metrics();
  const log = createLogger({ process: 'test', level: 'fatal' });
  const openStore = async (url: string) => (url === captions.url ? captions : archive);
  const base = { queues, board, metrics, log, world, openStore, breaker: new Breaker() };
  const decode = async ({ shape: [count] }: { shape: readonly number[] }) =>
    Array.from({ length: count ?? 0 }, () => ({ ...candidate, candidates: [candidate] }));
  const prove = async () => {};
  const handle = encodeBatch({
    ...base,
    handOver: decodeAtOnce({
      ...{ ...base, remainderDelayMs: 30_000 },
      stage: { model: run.model, decode, prove },
    }),
    stage: {
      model: run.model,
      prove,
      async encode(refs, store) {
        const found = await Promise.all(refs.map(({ key }) => store.get(key)));
        return {
          outcomes: found.map(({ etag }) => ({ status: 'encoded', etag, width: 1, height: 1 })),
          features: {
            dtype: 'float16',
            shape: [found.length, 1, 1],
            payload: Buffer.alloc(2 * found.length),
          },
        };
      },
    },
  });
  const queue = open('encode');
  const work = async () => {
    for (let job = await queue.take(3_600_000); job; job = await queue.take(3_600_000)) {
      const context = { deaths: 0, wasTaken: false, log, requireWanted: async () => {} };
      await handle(encodeJobSchema.parse(job.data), context);
      await queue.finish(job);
    }
  };
  const working = work();
  const driven = driveRun({
    ...{ what: { begin: run }, world, window: 8, output: { store: captions.url, prefix: '' } },
    ...{ board, openStore, openQueues: () => queues, metrics, log },
  });
  await world.settle(driven).finally(() => queue.stopTaking());
  await working;
}

describe.each([
  ['parts that stay', 1_050, { keepParts: true }],
  ['a few images', 20, {}],
  ['many pages and chunks', 1_050, {}],
  ['files beside images', 200, { sidecars: ['txt', 'json'] }],
  ['features that are kept', 200, { keepFeatures: { location: null, encoder: 'abc' } }],
] satisfies [string, number, Partial<Run>][])('%s', (_, images, fields) => {
  test('takes the requests that were planned', async () => {
    const { counted, planned } = await compare(images, fields);
    expect(planned).toEqual(counted);
  });
});
