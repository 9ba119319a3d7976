import * as tf from '@tensorflow/tfjs-core';
import { describe } from 'vitest';
import { describeEngine } from './support/engine-contract.ts';

describe('the tensorflow backend', async () =>
  describeEngine('tensorflow', () => tf.memory().numTensors));
