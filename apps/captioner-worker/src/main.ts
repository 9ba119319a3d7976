import { loadSharp } from '@cutline/inference';
import {
  Breaker,
  decodeAtOnce,
  encodeBatch,
  encodeJobSchema,
  encodeSettings,
  runWorkerProgram,
  startStages,
} from '@cutline/pipeline';

/** The captioner-worker: what it is made of. */
await runWorkerProgram({
  name: 'captioner-worker',
  description: 'Takes encode jobs, and sees them to their end: images to captions, in one process.',
  queue: 'encode',
  schema: encodeJobSchema,
  writesParts: true,
  settings: [...encodeSettings, 'remainderDelayMs'],
  async prepare(context) {
    const { settings, stores, metrics } = context;
    await loadSharp(); // whatever keeps it from loading is heard of now
    const { encode, decode } = await startStages(context);
    const openStore = (url: string) => stores.open(url);
    const { remainderDelayMs } = settings;
    return {
      // While threads decode one batch, others are fetched and encoded.
      jobConcurrency: decode.jobConcurrency,
      handle: encodeBatch({
        ...{ ...context, stage: encode, openStore },
        // An engine that fails on all decoding is not well because it encodes.
        handOver: decodeAtOnce({
          ...{ ...context, stage: decode, openStore, remainderDelayMs },
          breaker: new Breaker(),
        }),
      }),
      beforeScrape() {
        // The same threads do both, and are counted once.
        metrics.setBusy('encode', encode.busy());
      },
      untilRoom: async () => encode.requireReady?.(),
    };
  },
});
