/** Models gone through in shapes alone: how much they hold at once, and what that means in memory. */
import { decoderHalf, encoderHalf, modelSize } from '@cutline/captioner';
import { describe, expect, it, test } from 'vitest';
import { ExtentOps } from '../dist/extents/extent-ops.js';
import { decodingNumbers, encodingNumbers } from '../dist/extents/working-memory.js';
import { readShippedBundle } from './support/engine-contract.ts';
import { familyNames, tinyBundle } from './support/tiny-model.ts';

describe('what is held at once', () => {
  it('is forgotten after it was last read, and counts while it is computed', () => {
    const ops = new ExtentOps();
    const x = ops.given([2, 3]); // 6
    const wide = ops.dense(x, ops.weight([3, 100])); // 200: with x, 206
    const narrow = ops.dense(wide, ops.weight([100, 5])); // 10: with both, 216; then wide goes
    const sum = ops.add(narrow, ops.tanh(narrow)); // x, narrow, tanh and sum: 36
    expect(sum.shape).toEqual([2, 5]);
    expect(ops.numbersMax([x, sum])).toBe(6 + 200 + 10);
  });

  it('counts what is kept to the end, and nothing twice that was only reshaped', () => {
    const ops = new ExtentOps();
    const x = ops.given([4, 6]);
    const seen = ops.reshape(x, [-1, 3, 2]);
    expect(seen.shape).toEqual([4, 3, 2]);
    const [first, second] = ops.split(seen, 2) as [typeof x, typeof x];
    const both = ops.concat([first, second, ops.zeros(first, [3, 7])], 2);
    expect(both.shape).toEqual([4, 3, 9]);
    expect(ops.numbersMax([x, both])).toBe(24 + 12 + 12 + 84 + 108);
  });

  it('holds what attention puts in order besides', () => {
    const ops = new ExtentOps();
    const [q, k, v] = [
      [1, 2, 8],
      [1, 5, 8],
      [1, 5, 8],
    ].map((shape) => ops.given(shape));
    if (!q || !k || !v) throw new Error('three were given');
    expect(ops.attention(q, k, v).shape).toEqual([1, 2, 8]);
    expect(ops.numbersMax([q])).toBe(2 * (16 + 40 + 40) + 16);
  });

  it('does not count what follows from weights alone, which engines compute once', () => {
    const ops = new ExtentOps();
    const unembedding = ops.transpose(ops.weight([1000, 4]), [1, 0]);
    const logits = ops.dense(ops.given([3, 4]), unembedding);
    expect(logits.shape).toEqual([3, 1000]);
    expect(ops.numbersMax([logits])).toBe(12 + 3000);
  });
});

test.each(familyNames)('%s: goes through with the shapes that the model has', (family) => {
  const { description } = tinyBundle(family, ['a', 'dog', 'runs']);
  const ops = new ExtentOps();
  const weightsOf = (specs: Record<string, { shape: readonly number[] }>) => ({
    get: (name: string) => ops.weight(specs[name]?.shape ?? []),
    find: (name: string) => specs[name] && ops.weight(specs[name].shape),
  });
  const [encoder, decoder] = [encoderHalf(description), decoderHalf(description)];
  const features = encoder.encode(
    ops,
    weightsOf(encoder.parameters) as never,
    ops.given([2, 12, 10, 3]),
  );
  expect(features.shape).toEqual([2, ...description.features.shape]);
  const model = decoder.build(ops, weightsOf(decoder.parameters) as never);
  const { memory, state } = model.start(features);
  const words = { tokens: ops.given([2]), positions: ops.given([2]) };
  const lineage = {
    width: 1,
    perHypothesis: <T>(x: T) => x,
    perParent: <T>(x: T) => x,
  };
  const read = model.step(memory, state, words, lineage);
  expect(read.logits.shape).toEqual([2, description.vocabulary.size]);
  for (const [name, { shape }] of Object.entries(read.state)) {
    expect(shape).toEqual(state[name]?.shape);
  }
});

describe('memory', () => {
  const { description } = readShippedBundle();

  it('grows with images by what one holds, and with the beam', () => {
    const one = encodingNumbers(description, 1);
    expect(encodingNumbers(description, 32)).toBe(32 * one);
    const beam = (beamSize: number) =>
      decodingNumbers({ ...description, decoding: { ...description.decoding, beamSize } }, 8);
    expect(beam(5)).toBeGreaterThan(1.2 * beam(3));
  });

  it('of an encoder that computes images one by one is that of one', () => {
    const encoder = { ...description.encoder, precision: 'int8' as const };
    const [one, many] = modelSize({ ...description, encoder }).memory;
    expect(many?.encodeBytes).toBe(one?.encodeBytes);
  });

  it('holds weights that were stored in fewer bytes as they were read, too', () => {
    const { files } = description;
    const bytesOf = (bytes: number) => {
      const decoder = { ...files['decoder.safetensors'], bytes };
      const size = modelSize({
        ...description,
        files: { ...files, 'decoder.safetensors': decoder },
      });
      return size.memory[0]?.decodeBytes ?? 0;
    };
    const { decoder } = modelSize(description).parameters;
    expect(bytesOf(2 * decoder) - bytesOf(4 * decoder)).toBe(2 * decoder);
  });
});
