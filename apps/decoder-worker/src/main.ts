import {
  decodeBatch,
  decodeJobSchema,
  featureSettings,
  openHomes,
  runWorkerProgram,
  startDecodeStage,
} from '@cutline/pipeline';

/** The decoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'decoder-worker',
  description: 'Takes decode jobs: turns features into captions and writes them as parts.',
  queue: 'decode',
  schema: decodeJobSchema,
  writesParts: true,
  settings: [...featureSettings, 'remainderDelayMs'],
  async prepare(context) {
    const { settings, stores, metrics } = context;
    const homes = await openHomes(context);
    const stage = await startDecodeStage(context);
    return {
      jobConcurrency: stage.jobConcurrency,
      handle: decodeBatch({
        ...context,
        stage,
        openFeatures: homes.open,
        openStore: (url) => stores.open(url),
        remainderDelayMs: settings.remainderDelayMs,
      }),
      features: homes.own,
      beforeScrape: () => metrics.setBusy('decode', stage.busy()),
    };
  },
});
