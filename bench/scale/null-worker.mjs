// @ts-check

import {
  Breaker,
  decodeAtOnce,
  encodeBatch,
  encodeJobSchema,
  floorOf,
  JobTaker,
  realWorld,
} from '@cutline/pipeline';
import { numberOf } from './virtual-archive.mjs';

/** @import { EncodeBatchContext, EncodeJob, Queues, RunBoard } from '@cutline/pipeline' */
/** @import { Logger, Metrics } from '@cutline/shared/process' */
/** @import { ObjectStore } from '@cutline/shared/stores' */

const candidate = { caption: 'a photograph', logProb: -1, score: -1 };
const lockMs = 30_000;

/**
 * A worker of both stages, in this process, that computes nothing; all else is what workers do.
 * While `mood.failing`, every hundredth image is not found.
 *
 * @param {{ model: string, queues: Queues, board: RunBoard, metrics: Metrics, log: Logger,
 *   openStore: (url: string) => Promise<ObjectStore>,
 *   mood: { failing: boolean, firstBatchMs: number | undefined } }} context
 * @returns {JobTaker<EncodeJob>}
 */
export function nullWorker({ model, mood, ...context }) {
  const { queues, board, openStore } = context;
  const breaker = new Breaker();
  const base = { ...context, world: realWorld, breaker, remainderDelayMs: 30_000 };
  const handOver = decodeAtOnce({
    ...base,
    stage: {
      model,
      decode: async ({ shape: [count] }) =>
        Array.from({ length: count }, () => ({ ...candidate, candidates: [candidate] })),
      async prove() {},
    },
  });
  /** @type {EncodeBatchContext['stage']['encode']} */
  const encode = async (images, store) => {
    mood.firstBatchMs ??= performance.now();
    const fetched = await Promise.all(images.map(({ key }) => store.get(key)));
    const isLost = images.map(({ key }) => mood.failing && numberOf(key) % 100 === 0);
    const seen = fetched.filter((_, n) => !isLost[n]);
    return {
      outcomes: fetched.map(({ etag }, n) =>
        isLost[n]
          ? { status: 'failed', failure: { class: 'not-found', message: 'made up' } }
          : { status: 'encoded', etag, width: 1, height: 1 },
      ),
      features: {
        dtype: 'float16',
        shape: [seen.length, 1, 50],
        payload: Buffer.concat(seen.map(({ bytes }) => bytes)),
      },
    };
  };
  return new JobTaker({
    ...base,
    ...{ stage: 'encode', queue: queues.encode, schema: encodeJobSchema, concurrency: 4, lockMs },
    handle: encodeBatch({ ...base, handOver, stage: { model, encode, async prove() {} } }),
    floor: (job) => floorOf(job, { board, asksStore: true, openStore }),
    onFatal(error) {
      throw error;
    },
  });
}
