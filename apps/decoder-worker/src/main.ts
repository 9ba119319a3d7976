import { defaultBundleFolder, startInference } from '@cutline/inference';
import { decodeJobSchema, runWorkerProgram } from '@cutline/shared';
import { decodeBatch } from './decode-batch.ts';

/** The decoder-worker: what it is made of. */
await runWorkerProgram({
  name: 'decoder-worker',
  description: 'Takes decode jobs: turns features into captions and writes them as parts.',
  queue: 'decode',
  schema: decodeJobSchema,
  async prepare({ settings, queues, redis, features, stores, metrics, log, closers, fail }) {
    const pool = await startInference({
      bundleFolder: settings.model ?? defaultBundleFolder(),
      stages: { encode: false, decode: true },
      backend: settings.backend,
      threads: settings.threads,
    });
    closers.add('inference', () => pool.close());
    pool.failed.catch(fail);
    metrics.backendInfo.set({ stage: 'decode', backend: pool.backend, model: pool.model.id }, 1);
    log.info(
      { model: pool.model.id, backend: pool.backend, reason: pool.backendReason },
      'decoder loaded',
    );
    const { remainderDelayMs } = settings;
    return {
      model: pool.model.id,
      handle: decodeBatch({ pool, features, queues, redis, stores, metrics, remainderDelayMs }),
      beforeScrape: () => metrics.inferenceBusyRatio.set({ stage: 'decode' }, pool.busyRatio()),
    };
  },
});
