// @ts-check

/**
 * A decoder-worker without a model: every image gets the same caption. Its jobs are handled by
 * apps/decoder-worker's own function.
 */
import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import { decodeBatch, decodeJobSchema, runWorkerProgram } from '@cutline/pipeline';
import { nullFeatures } from './null-features.mjs';

/** @import { InferencePool } from '@cutline/inference' */

const candidate = { caption: 'a photograph', logProb: -1, score: -1 };

await runWorkerProgram({
  name: 'null-decoder-worker',
  description: 'Takes decode jobs, and computes nothing.',
  queue: 'decode',
  schema: decodeJobSchema,
  settings: ['remainderDelayMs'],
  async prepare({ settings, queues, redis, features, stores, metrics }) {
    const model = { ...(await describeBundle(defaultBundleFolder())), features: nullFeatures };
    const pool = /** @type {InferencePool} */ (
      /** @type {unknown} */ ({
        model,
        decode: async (/** @type {Uint8Array} */ _features, /** @type {number} */ count) =>
          Array.from({ length: count }, () => ({ ...candidate, candidates: [candidate] })),
      })
    );
    const { remainderDelayMs } = settings;
    return {
      model: model.id,
      jobConcurrency: 2,
      handle: decodeBatch({ pool, features, queues, redis, stores, metrics, remainderDelayMs }),
    };
  },
});
