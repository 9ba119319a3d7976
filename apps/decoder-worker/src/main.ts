import { captionFeatures } from '@cutline/inference';
import { decodeBatch, decodeJobSchema, runWorkerProgram, startStage } from '@cutline/pipeline';

/** The decoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'decoder-worker',
  description: 'Takes decode jobs: turns features into captions and writes them as parts.',
  queue: 'decode',
  schema: decodeJobSchema,
  settings: ['remainderDelayMs'],
  async prepare(context) {
    const { settings, stores, metrics } = context;
    const pool = await startStage('decode', context);
    const { locations, channels } = pool.model.features;
    return {
      // A thread computes a whole batch: one each, and one that is fetched or written.
      jobConcurrency: pool.threadCount + 1,
      handle: decodeBatch({
        ...context,
        caption: (payload, count, options) =>
          captionFeatures(payload, count, { pool, options, metrics }),
        prove: () => pool.decode(new Uint8Array(locations * channels * 2), 1, pool.model.decoding),
        model: pool.model.id,
        openStore: (url) => stores.open(url),
        remainderDelayMs: settings.remainderDelayMs,
      }),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'decode' }, pool.busyRatio()),
    };
  },
});
