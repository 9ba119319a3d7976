// @ts-check

/**
 * An encoder-worker without a model: the 100 bytes of an image are its features. Everything else
 * (the queue, the store, features in Redis, progress) is as in apps/encoder-worker.
 */
import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import {
  addJob,
  applyOutcomes,
  countProgress,
  encodeJobSchema,
  packFeatures,
  runWorkerProgram,
} from '@cutline/pipeline';
import { jobId } from '@cutline/shared/run';
import { nullFeatures } from './null-features.mjs';

await runWorkerProgram({
  name: 'null-encoder-worker',
  description: 'Takes encode jobs, and computes nothing.',
  queue: 'encode',
  schema: encodeJobSchema,
  settings: ['imageBytesMax'],
  async prepare({ queues, redis, features, stores, settings }) {
    // Runs are made for the model that ships; nothing of it is loaded.
    const { id: model } = await describeBundle(defaultBundleFolder());
    const { locations, channels } = nullFeatures;
    return {
      model,
      jobConcurrency: 2,
      async handle(job) {
        const store = await stores.open(job.source);
        const fetched = await Promise.all(
          job.images.map(({ key }) => store.get(key, { bytesMax: settings.imageBytesMax })),
        );
        const outcomes = fetched.map(({ etag }) => ({
          ...{ status: /** @type {const} */ ('encoded'), etag, width: 1, height: 1 },
        }));
        const payload = Buffer.concat(fetched.map(({ bytes }) => bytes));
        const shape = /** @type {[number, number, number]} */ ([
          fetched.length,
          locations,
          channels,
        ]);
        await features.put(jobId(job), packFeatures({ model, shape, payload }));
        const { images, ...batch } = job;
        const decodeJob = { ...batch, ...applyOutcomes(images, outcomes, { defer: true }) };
        await addJob(queues.decode, decodeJob);
        await queues.decode.getJobState(jobId(job)); // costs what asking costs encode-batch.ts
        const step = `encode:${job.batch}.${job.attempt}`;
        await countProgress(redis, job.run, step, { encoded: images.length });
      },
    };
  },
});
