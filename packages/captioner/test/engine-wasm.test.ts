import * as tf from '@tensorflow/tfjs-core';
import { describe } from 'vitest';
import { describeEngine } from './support/engine-contract.ts';

describe('the wasm backend', async () => describeEngine('wasm', () => tf.memory().numTensors));
