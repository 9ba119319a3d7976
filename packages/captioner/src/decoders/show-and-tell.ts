/**
 * Show and Tell (Vinyals et al. 2015, https://arxiv.org/abs/1411.4555): the image enters the LSTM
 * once, as if it were the word before the first.
 *
 *     x₋₁ = image(mean over L of f)           eq. 10, the projection
 *     xₜ  = embedding[Sₜ]                     eq. 11
 *     hₜ  = LSTM(xₜ, hₜ₋₁)                    eqs. 4–8 (lstm.ts)
 *     log pₜ₊₁ = log softmax(output(hₜ))      eqs. 9, 12
 */
import { z } from 'zod';
import { denseLayers, denseSpecs, kernelSpec } from '../weights.ts';
import { type DecoderFamily, embeddingSpec } from './decoder-family.ts';
import { lstmCell } from './lstm.ts';

const size = z.int().positive();

const sizesSchema = z.strictObject({
  /** E: a word's vector, and the image's. */
  embedding: size,
  /** H: the LSTM's state. */
  hidden: size,
});

export type ShowAndTellSizes = z.infer<typeof sizesSchema>;

export const showAndTell: DecoderFamily<ShowAndTellSizes, never, 'hidden' | 'cell'> = {
  name: 'show-and-tell',
  sizesSchema,
  attends: false,

  projection: {
    parameters: ({ embedding }, channels) => denseSpecs('image', channels, embedding),
    shape: ({ embedding }) => [1, embedding],
    project(ops, weights, { embedding }, featureMap) {
      const image = denseLayers(ops, weights)(ops.mean(featureMap, 1), 'image'); // [B,E]
      return ops.reshape(image, [-1, 1, embedding]);
    },
  },

  build(ops, weights, { embedding, hidden: H }) {
    const dense = denseLayers(ops, weights);
    const reading = dense(weights.get('embedding'), 'lstm.word'); // [V,4H], of each word
    return {
      start(projected) {
        const image = ops.reshape(projected, [-1, embedding]); // [B,E]
        // The hidden state is still zero, so the image alone makes up the cell's inputs.
        const zeros = ops.zeros(image, [H]); // [B,H]
        return { memory: {}, state: lstmCell(ops, dense(image, 'lstm.word'), zeros) };
      },

      step(_memory, { hidden, cell }, { tokens }, { perHypothesis }) {
        const said = perHypothesis(dense(hidden, 'lstm.hidden')); // [N,4H]
        const inputs = ops.add(ops.gather(reading, tokens), said);
        const state = lstmCell(ops, inputs, perHypothesis(cell)); // [N,H]
        return { logits: dense(state.hidden, 'output'), state };
      },
    };
  },

  parameters({ embedding, hidden }, { vocabulary }) {
    return {
      ...embeddingSpec(vocabulary, embedding),
      ...denseSpecs('lstm.word', embedding, 4 * hidden),
      ...kernelSpec('lstm.hidden', hidden, 4 * hidden),
      ...denseSpecs('output', hidden, vocabulary),
    };
  },
};
