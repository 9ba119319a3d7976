// @ts-check

/**
 * A decoder-worker without a model: every image gets the same caption. Its jobs are handled by
 * the function that decoder-workers have.
 */
import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import { decodeBatch, decodeJobSchema, runWorkerProgram } from '@cutline/pipeline';

const candidate = { caption: 'a photograph', logProb: -1, score: -1 };

await runWorkerProgram({
  name: 'null-decoder-worker',
  description: 'Takes decode jobs, and computes nothing.',
  queue: 'decode',
  schema: decodeJobSchema,
  settings: ['remainderDelayMs'],
  async prepare(context) {
    const { id: model } = await describeBundle(defaultBundleFolder());
    return {
      jobConcurrency: 2,
      handle: decodeBatch({
        ...context,
        stage: {
          model,
          decode: async ({ shape: [count] }) =>
            Array.from({ length: count }, () => ({ ...candidate, candidates: [candidate] })),
          async prove() {},
        },
        openStore: (url) => context.stores.open(url),
        remainderDelayMs: context.settings.remainderDelayMs,
      }),
    };
  },
});
