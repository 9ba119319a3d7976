import { loadSharp } from '@cutline/inference';
import {
  encodeBatch,
  encodeJobSchema,
  encodeSettings,
  featureSettings,
  HoldBack,
  handOverToDecoders,
  openHomes,
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
  writesParts: false,
  settings: [...encodeSettings, ...featureSettings, 'featureBytesMax'],
  async prepare(context) {
    const { settings, stores, metrics, world, log } = context;
    await loadSharp(); // whatever keeps it from loading is heard of now
    const { own: features } = await openHomes(context);
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
        handOver: handOverToDecoders({
          ...{ ...context, model: stage.model, features },
          onStored: (bytes) => holdBack.observe(bytes),
        }),
      }),
      features,
      beforeScrape: () => metrics.setBusy('encode', stage.busy()),
      async untilRoom(isStopping) {
        await stage.requireReady?.();
        await holdBack.untilRoom(isStopping);
      },
    };
  },
});
