import { defaultBundleFolder, prepareSharp, startInference } from '@cutline/inference';
import { encodeJobSchema, runWorkerProgram } from '@cutline/shared';
import { encodeBatch } from './encode-batch.ts';
import { HoldBack } from './hold-back.ts';
import { trySuspectsAlone } from './try-suspects-alone.ts';

/** The encoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'encoder-worker',
  description:
    'Takes encode jobs: fetches images, turns them into features, hands them to decoders.',
  queue: 'encode',
  schema: encodeJobSchema,
  async prepare({ settings, queues, redis, features, stores, metrics, log, closers, fail }) {
    prepareSharp();
    const pool = await startInference({
      bundleFolder: settings.model ?? defaultBundleFolder(),
      stages: { encode: true, decode: false },
      backend: settings.backend,
      threads: settings.threads,
    });
    closers.add('inference', () => pool.close());
    pool.failed.catch(fail);
    metrics.featureBytesBudget.set(settings.featureBytesMax);
    metrics.backendInfo.set({ stage: 'encode', backend: pool.backend, model: pool.model.id }, 1);
    log.info(
      { model: pool.model.id, backend: pool.backend, reason: pool.backendReason },
      'encoder loaded',
    );
    const holdBack = new HoldBack({ features, bytesMax: settings.featureBytesMax, log });
    await holdBack.look();
    const encode = encodeBatch({
      ...{ pool, features, queues, redis, stores, limits: settings, metrics, holdBack },
    });
    return {
      model: pool.model.id,
      handle: trySuspectsAlone(encode, redis),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'encode' }, pool.busyRatio()),
      attach(worker) {
        holdBack.attach(worker);
        closers.add('hold-back', () => holdBack.stop());
      },
    };
  },
});
