import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { describeEngine } from './support/engine-contract.ts';

// As on Node.js 23 and later, which tfjs-node was not made for.
Reflect.deleteProperty(util, 'isNullOrUndefined');

describe('the tensorflow backend', async () => {
  await describeEngine('tensorflow', () => tf.memory().numTensors);

  it.runIf(tf.getBackend() === 'tensorflow')('does not take all of a GPU at once', () => {
    expect(process.env.TF_FORCE_GPU_ALLOW_GROWTH).toBe('true');
  });
});
