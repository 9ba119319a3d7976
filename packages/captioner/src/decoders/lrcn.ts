/**
 * LRCN, the long-term recurrent convolutional network (Donahue et al. 2015,
 * https://arxiv.org/abs/1411.4389), in the variant that captioned best, LRCN-2f (section 5,
 * figure 5c): two LSTMs, factored. The lower one reads only words; the image enters the upper one,
 * at every step.
 *
 *     v   = image(mean over L of f)           the projection
 *     h¹ₜ = LSTM¹(embedding[Sₜ], h¹ₜ₋₁)       language alone
 *     h²ₜ = LSTM²(h¹ₜ, v, h²ₜ₋₁)              language and image
 *     log pₜ₊₁ = log softmax(output(h²ₜ))     eq. 6
 *
 * Both LSTMs start from zeros. v does not change from word to word, so its map into the upper
 * LSTM is computed once per image (the memory).
 */
import { z } from 'zod';
import { denseLayers, denseSpecs, kernelSpec } from '../weights.ts';
import { type DecoderFamily, embeddingSpec } from './decoder-family.ts';
import { lstmCell } from './lstm.ts';

const size = z.int().positive();

const sizesSchema = z.strictObject({
  /** E: a word's vector. */
  embedding: size,
  /** I: the image's vector v. */
  image: size,
  /** H: the state of either LSTM. */
  hidden: size,
});

export type LrcnSizes = z.infer<typeof sizesSchema>;

type StateName = 'lowerHidden' | 'lowerCell' | 'upperHidden' | 'upperCell';

export const lrcn: DecoderFamily<LrcnSizes, 'image', StateName> = {
  name: 'lrcn',
  sizesSchema,
  attends: false,

  projection: {
    parameters: ({ image }, channels) => denseSpecs('image', channels, image),
    shape: ({ image }) => [1, image],
    project(ops, weights, { image }, featureMap) {
      const v = denseLayers(ops, weights)(ops.mean(featureMap, 1), 'image', 'relu'); // [B,I]
      return ops.reshape(v, [-1, 1, image]);
    },
  },

  build(ops, weights, { image: I, hidden: H }) {
    const dense = denseLayers(ops, weights);
    const reading = dense(weights.get('embedding'), 'lower.word'); // [V,4H], of each word
    return {
      start(projected) {
        const v = ops.reshape(projected, [-1, I]); // [B,I]
        const zeros = ops.zeros(v, [H]); // [B,H]
        return {
          memory: { image: dense(v, 'upper.image') }, // [B,4H]
          state: { lowerHidden: zeros, lowerCell: zeros, upperHidden: zeros, upperCell: zeros },
        };
      },

      step(memory, parents, { tokens }, { width, perHypothesis }) {
        const said = perHypothesis(dense(parents.lowerHidden, 'lower.hidden')); // [N,4H]
        const lower = lstmCell(
          ops,
          ops.add(ops.gather(reading, tokens), said),
          perHypothesis(parents.lowerCell),
        );
        const language = ops.add(
          dense(lower.hidden, 'upper.lower'),
          perHypothesis(dense(parents.upperHidden, 'upper.hidden')),
        ); // [N,4H]
        // Hypotheses of an image share its v: [B·W,4H] is seen as [B,W,4H] here.
        const both = ops.add(
          ops.reshape(language, [-1, width, 4 * H]),
          ops.reshape(memory.image, [-1, 1, 4 * H]),
        );
        const upper = lstmCell(
          ops,
          ops.reshape(both, [-1, 4 * H]),
          perHypothesis(parents.upperCell),
        );
        return {
          logits: dense(upper.hidden, 'output'), // [N,V]
          state: {
            lowerHidden: lower.hidden,
            lowerCell: lower.cell,
            upperHidden: upper.hidden,
            upperCell: upper.cell,
          },
        };
      },
    };
  },

  parameters({ embedding, image, hidden }, { vocabulary }) {
    return {
      ...embeddingSpec(vocabulary, embedding),
      ...denseSpecs('lower.word', embedding, 4 * hidden),
      ...kernelSpec('lower.hidden', hidden, 4 * hidden),
      ...denseSpecs('upper.lower', hidden, 4 * hidden),
      ...kernelSpec('upper.image', image, 4 * hidden),
      ...kernelSpec('upper.hidden', hidden, 4 * hidden),
      ...denseSpecs('output', hidden, vocabulary),
    };
  },
};
