// @ts-check

/**
 * An encoder-worker without a model: the 100 bytes of an image are its features. Everything else
 * (the queue, the store, features in Redis, progress) is as in apps/encoder-worker.
 */
import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import { encodeBatch, encodeJobSchema, runWorkerProgram } from '@cutline/pipeline';

/** Of an image: [1, 50] float16. */
const channels = 50;

await runWorkerProgram({
  name: 'null-encoder-worker',
  description: 'Takes encode jobs, and computes nothing.',
  queue: 'encode',
  schema: encodeJobSchema,
  settings: ['imageBytesMax'],
  async prepare(context) {
    // Runs are made for the model that ships; nothing of it is loaded.
    const { id: model } = await describeBundle(defaultBundleFolder());
    const { imageBytesMax: bytesMax } = context.settings;
    return {
      jobConcurrency: 2,
      handle: encodeBatch({
        ...context,
        openStore: (url) => context.stores.open(url),
        onStored() {},
        stage: {
          model,
          async prove() {},
          async encode(images, store) {
            const fetched = await Promise.all(
              images.map(({ key }) => store.get(key, { bytesMax })),
            );
            const outcomes = fetched.map(({ etag }) => ({
              ...{ status: /** @type {const} */ ('encoded'), etag, width: 1, height: 1 },
            }));
            const payload = Buffer.concat(fetched.map(({ bytes }) => bytes));
            return {
              outcomes,
              features: { dtype: 'float16', shape: [fetched.length, 1, channels], payload },
            };
          },
        },
      }),
    };
  },
});
