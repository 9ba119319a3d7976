// @ts-check

/**
 * Loads TensorFlow from a folder (a URL, the first argument) as the backend does, and multiplies,
 * in the main thread and in a worker thread. Prints what computed, as JSON. A program of its own,
 * because a native library that does not fit may take its process with it.
 */
import { isMainThread, parentPort, SHARE_ENV, Worker, workerData } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-core';
import { loadTensorflow } from '../../packages/captioner/dist/engines/tfjs/load-tensorflow.js';

if (isMainThread) {
  const folder = /** @type {string} */ (process.argv[2]);
  const description = await multiply(folder);
  const worker = new Worker(new URL(import.meta.url), { workerData: folder, env: SHARE_ENV });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  process.stdout.write(JSON.stringify({ description }));
} else {
  parentPort?.postMessage(await multiply(workerData));
}

/** With the project's tfjs-core, on purpose: that one has to be what TensorFlow plugs into. */
async function multiply(/** @type {string} */ folder) {
  const { description } = await loadTensorflow({ folder: new URL(folder) });
  if (tf.getBackend() !== 'tensorflow') throw new Error('it uses another tfjs-core');
  const product = tf.matMul([[1, 2]], [[3], [4]]).dataSync();
  if (product[0] !== 11) throw new Error(`1·3 + 2·4 should be 11, and is ${product[0]}`);
  return description;
}
