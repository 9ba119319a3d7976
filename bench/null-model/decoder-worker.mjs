// @ts-check

/**
 * A decoder-worker without a model: every image gets the same caption. Its jobs are handled by
 * the function that decoder-workers have.
 */
import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import {
  decodeBatch,
  decodeJobSchema,
  featureSettings,
  openHomes,
  runWorkerProgram,
} from '@cutline/pipeline';

const candidate = { caption: 'a photograph', logProb: -1, score: -1 };

await runWorkerProgram({
  name: 'null-decoder-worker',
  description: 'Takes decode jobs, and computes nothing.',
  queue: 'decode',
  schema: decodeJobSchema,
  writesParts: true,
  settings: [...featureSettings, 'remainderDelayMs'],
  async prepare(context) {
    const { id: model } = await describeBundle(defaultBundleFolder());
    const homes = await openHomes(context);
    return {
      jobConcurrency: 2,
      features: homes.own,
      handle: decodeBatch({
        ...context,
        stage: {
          model,
          decode: async ({ shape: [count] }) =>
            Array.from({ length: count }, () => ({ ...candidate, candidates: [candidate] })),
          async prove() {},
        },
        openFeatures: homes.open,
        openStore: (url) => context.stores.open(url),
        remainderDelayMs: context.settings.remainderDelayMs,
      }),
    };
  },
});
