import { encodeImages, loadSharp } from '@cutline/inference';
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
    const { settings, stores, features, metrics, world, log } = context;
    await loadSharp(); // whatever keeps it from loading is heard of now
    const pool = await startStage('encode', context);
    const { width, height } = pool.model.preprocessing;
    const imageBytes = width * height * 3;
    const bytesMax = settings.featureBytesMax;
    const holdBack = new HoldBack({
      ...{ features, bytesMax, world, log },
      onBudget: (bytes) => metrics.featureBytesBudget.set(bytes),
    });
    return {
      // All threads share a batch, while the next one is fetched.
      jobConcurrency: 2,
      handle: encodeBatch({
        ...context,
        encode: (images, store) => encodeImages(images, { store, pool, limits: settings, metrics }),
        prove: () => pool.encode(new Uint8Array(imageBytes), 1),
        model: pool.model,
        openStore: (url) => stores.open(url),
        onStored: (bytes) => holdBack.observe(bytes),
      }),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'encode' }, pool.busyRatio()),
      untilRoom: (isStopping) => holdBack.untilRoom(isStopping),
    };
  },
});
