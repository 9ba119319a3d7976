import { decodeBatch, decodeJobSchema, runWorkerProgram, startStage } from '@cutline/pipeline';

/** The decoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'decoder-worker',
  description: 'Takes decode jobs: turns features into captions and writes them as parts.',
  queue: 'decode',
  schema: decodeJobSchema,
  settings: ['remainderDelayMs'],
  async prepare(context) {
    const { settings, metrics } = context;
    const pool = await startStage('decode', context);
    return {
      model: pool.model.id,
      // A thread computes a whole batch: one each, and one that is fetched or written.
      jobConcurrency: pool.threadCount + 1,
      handle: decodeBatch({ ...context, pool, remainderDelayMs: settings.remainderDelayMs }),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'decode' }, pool.busyRatio()),
    };
  },
});
