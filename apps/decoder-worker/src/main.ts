import {
  decodeBatch,
  decodeJobSchema,
  runWorkerProgram,
  startDecodeStage,
} from '@cutline/pipeline';

/** The decoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'decoder-worker',
  description: 'Takes decode jobs: turns features into captions and writes them as parts.',
  queue: 'decode',
  schema: decodeJobSchema,
  settings: ['remainderDelayMs'],
  async prepare(context) {
    const { settings, stores, metrics } = context;
    const stage = await startDecodeStage(context);
    return {
      jobConcurrency: stage.jobConcurrency,
      handle: decodeBatch({
        ...context,
        stage,
        openStore: (url) => stores.open(url),
        remainderDelayMs: settings.remainderDelayMs,
      }),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'decode' }, stage.busyRatio()),
    };
  },
});
