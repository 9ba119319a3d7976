import { loadSharp } from '@cutline/inference';
import {
  encodeBatch,
  encodeJobSchema,
  encodeSettings,
  HoldBack,
  runWorkerProgram,
  startEncodeStage,
} from '@cutline/pipeline';

/** The encoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'encoder-worker',
  description:
    'Takes encode jobs: fetches images, turns them into features, hands them to decoders.',
  queue: 'encode',
  schema: encodeJobSchema,
  settings: [...encodeSettings, 'featureBytesMax'],
  async prepare(context) {
    const { settings, stores, features, metrics, world, log } = context;
    await loadSharp(); // whatever keeps it from loading is heard of now
    const stage = await startEncodeStage(context);
    const holdBack = new HoldBack({
      ...{ features, bytesMax: settings.featureBytesMax, world, log },
      onBudget: (bytes) => metrics.featureBytesBudget.set(bytes),
    });
    return {
      // All threads share a batch, while the next one is fetched.
      jobConcurrency: 2,
      handle: encodeBatch({
        ...context,
        stage,
        openStore: (url) => stores.open(url),
        onStored: (bytes) => holdBack.observe(bytes),
      }),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'encode' }, stage.busyRatio()),
      async untilRoom(isStopping) {
        await stage.requireReady?.();
        await holdBack.untilRoom(isStopping);
      },
    };
  },
});
