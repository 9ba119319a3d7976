import { createEngine } from '@cutline/captioner';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { describeEngine } from './support/engine-contract.ts';
import { randomBytes, tinyBundle } from './support/tiny-model.ts';

describe('the wasm backend', async () => {
  await describeEngine('wasm', () => tf.memory().numTensors);

  it('refuses what its memory has no room for, and goes on computing', async () => {
    const { engine } = await createEngine('wasm');
    const encoder = await engine.loadEncoder(tinyBundle('show-and-tell', ['a', 'dog']));
    const pixels = randomBytes(360, 1);
    const before = await encoder.encode(pixels, 1);
    const megabytes4 = tf.ones([1024, 1024]);
    expect(() => tf.tile(megabytes4, [1024, 1])).toThrow(
      'WebAssembly has no memory left: a smaller device batch would fit',
    );
    megabytes4.dispose();
    expect(await encoder.encode(pixels, 1)).toEqual(before);
    engine.dispose();
  });
});
