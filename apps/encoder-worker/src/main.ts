import { prepareSharp } from '@cutline/inference';
import {
  encodeBatch,
  encodeJobSchema,
  HoldBack,
  runWorkerProgram,
  startStage,
} from '@cutline/pipeline';

/** The encoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'encoder-worker',
  description:
    'Takes encode jobs: fetches images, turns them into features, hands them to decoders.',
  queue: 'encode',
  schema: encodeJobSchema,
  settings: [
    'fetchConcurrency',
    'fetchAttempts',
    'retryBaseMs',
    'imageBytesMax',
    'imagePixelsMax',
    'decodeTimeoutMs',
    'featureBytesMax',
  ],
  async prepare(context) {
    const { settings, features, metrics, log, closers } = context;
    prepareSharp();
    const pool = await startStage('encode', context);
    metrics.featureBytesBudget.set(settings.featureBytesMax);
    const holdBack = new HoldBack({ features, bytesMax: settings.featureBytesMax, log });
    await holdBack.look();
    return {
      model: pool.model.id,
      // All threads share a batch, while the next one is fetched.
      jobConcurrency: 2,
      handle: encodeBatch({ ...context, pool, limits: settings, holdBack }),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'encode' }, pool.busyRatio()),
      attach(worker) {
        holdBack.attach(worker);
        closers.add('hold-back', () => holdBack.stop());
      },
    };
  },
});
