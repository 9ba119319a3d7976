/**
 * The text decoder of BLIP (Li et al. 2022, https://arxiv.org/abs/2201.12086): BERT (Devlin et al.
 * 2019, https://arxiv.org/abs/1810.04805) reading from left to right, with a cross-attention to the
 * image's tokens in each layer.
 *
 *     x = norm(word[w] + position[t])
 *     layers   x = norm(x + attention(x; what was said))
 *              x = norm(x + cross(x; the image's tokens))
 *              x = norm(x + feed(x))
 *     log p = log softmax(norm(gelu(head(x))) · wordᵀ + bias)
 *
 * The memory is the image's tokens as they are; keys and values of a word are computed once it is
 * read (the state).
 */
import { z } from 'zod';
import {
  attentionSpecs,
  feedForward,
  feedForwardSpecs,
  layerNorms,
  normSpecs,
} from '../transformer.ts';
import { biasSpec, denseLayers, denseSpecs, type ParameterSpecs } from '../weights.ts';
import { Attention, layerOf, lookAtPatches, nameLayers, tensorOf } from './attention.ts';
import type { DecoderFamily } from './decoder-family.ts';

const size = z.int().positive();

const sizesSchema = z.strictObject({
  /** C: a word's vector. */
  width: size,
  layers: size,
  /** They divide C among them. */
  heads: size,
  /** Channels inside a feed-forward layer. */
  inner: size,
  /** T: words at most, the first token counted. */
  positions: size,
  /** ε of the norms. */
  epsilon: z.number().positive(),
  /** Whose cross-attention is shown. */
  shownLayer: z.int().min(0),
});

export type BlipSizes = z.infer<typeof sizesSchema>;

export const blip: DecoderFamily<BlipSizes> = {
  name: 'blip',
  sizesSchema,
  attends: true,
  tokensMax: ({ positions }) => positions,

  projection: {
    parameters: () => ({}),
    shape: (_sizes, featureMap) => featureMap,
    project: (_ops, _weights, _sizes, featureMap) => featureMap,
  },

  build(
    ops,
    weights,
    { width: C, layers, heads, epsilon, shownLayer },
    { locations: L, channels: E },
  ) {
    const dense = denseLayers(ops, weights);
    const norm = layerNorms(ops, weights, epsilon);
    const feed = feedForward(ops, weights, 'gelu');
    const attention = new Attention(ops, weights, { width: C, heads, imageWidth: E });
    const parts = Array.from({ length: layers }, (_, layer) => ({
      name: `layer${layer}`,
      words: attention.layer(`layer${layer}.attention`, { ofImage: false }),
      cross: attention.layer(`layer${layer}.cross`, { ofImage: true }),
    }));
    const words = weights.get('word'); // [V,C]
    const unembedding = ops.transpose(words, [1, 0]); // [C,V]
    return {
      start(image) {
        return {
          memory: { image },
          state: nameLayers(parts.map(() => attention.nothing(image))),
        };
      },

      step(memory, state, { tokens, positions }, { width: W, perHypothesis }) {
        const position = ops.gather(weights.get('position'), positions);
        let x = norm(ops.add(ops.gather(words, tokens), position), 'norm'); // [N,C]
        let shown: typeof x | undefined;
        const image = { tokens: tensorOf(memory, 'image'), count: L };
        const said = parts.map(({ name, words: own, cross }, layer) => {
          const past = layerOf(state, layer);
          const before = { keys: perHypothesis(past.keys), values: perHypothesis(past.values) };
          const kept = attention.append(before, attention.remember(x, own));
          const read = attention.ofOwn(attention.ask(x, own), kept);
          x = norm(ops.add(x, attention.answer(read, own)), `${name}.attention.norm`);

          const { seen, fit } = attention.ofImage(attention.ask(x, cross), image, cross, W);
          if (layer === shownLayer) shown = lookAtPatches(ops, fit);
          x = norm(ops.add(x, attention.answer(seen, cross)), `${name}.cross.norm`);
          x = norm(ops.add(x, feed(x, `${name}.feed`)), `${name}.feed.norm`);
          return kept;
        });
        const last = norm(dense(x, 'head', 'gelu'), 'head.norm'); // [N,C]
        return {
          logits: ops.dense(last, unembedding, weights.get('bias')), // [N,V]
          state: nameLayers(said),
          ...(shown !== undefined && { attention: shown }), // [N,L-1]
        };
      },
    };
  },

  parameters({ width: C, layers, inner, positions }, { channels, vocabulary }) {
    const each = (name: string): ParameterSpecs => ({
      ...attentionSpecs(`${name}.attention`, C),
      ...normSpecs(`${name}.attention.norm`, C),
      ...attentionSpecs(`${name}.cross`, C, channels),
      ...normSpecs(`${name}.cross.norm`, C),
      ...feedForwardSpecs(`${name}.feed`, C, inner),
      ...normSpecs(`${name}.feed.norm`, C),
    });
    return {
      word: { shape: [vocabulary, C], limit: 0.02 },
      position: { shape: [positions, C], limit: 0.02 },
      ...normSpecs('norm', C),
      ...Object.assign({}, ...Array.from({ length: layers }, (_, layer) => each(`layer${layer}`))),
      ...denseSpecs('head', C, C),
      ...normSpecs('head.norm', C),
      bias: biasSpec(vocabulary),
    };
  },
};
