/**
 * GPT-2 (Radford et al. 2019) as a captioner: with a cross-attention to the image's tokens in each
 * layer, as in encoder-decoders that are put together from two trained halves (Rothe et al. 2020,
 * https://arxiv.org/abs/1907.12461; for images, Li et al. 2021, https://arxiv.org/abs/2109.10282).
 *
 *     x = word[w] + position[t]
 *     layers   x += attention(norm x; what was said)
 *              x += cross(norm x; the image's tokens)
 *              x += feed(norm x)
 *     log p = log softmax(norm(x) · headᵀ)              head = word in most
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
import { denseLayers, denseSpecs, type ParameterSpecs } from '../weights.ts';
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
  /** T: tokens at most, the first counted. */
  positions: size,
  /** ε of the norms. */
  epsilon: z.number().positive(),
  /** Whether the image's tokens are brought to C channels before anything attends to them. */
  bridge: z.boolean(),
  /** Whether the last layer has weights of its own, rather than those of the words. */
  ownHead: z.boolean(),
  /** Whose cross-attention is shown. */
  shownLayer: z.int().min(0),
});

export type Gpt2Sizes = z.infer<typeof sizesSchema>;

export const gpt2: DecoderFamily<Gpt2Sizes> = {
  name: 'gpt2',
  sizesSchema,
  attends: true,
  tokensMax: ({ positions }) => positions,

  projection: {
    parameters: ({ bridge, width }, channels) =>
      bridge ? denseSpecs('bridge', channels, width) : {},
    shape: ({ bridge, width }, [locations, channels]) => [locations, bridge ? width : channels],
    project: (ops, weights, { bridge }, featureMap) =>
      bridge ? denseLayers(ops, weights)(featureMap, 'bridge') : featureMap,
  },

  build(
    ops,
    weights,
    { width: C, layers, heads, epsilon, ownHead, shownLayer },
    { locations: L, channels: E },
  ) {
    const norm = layerNorms(ops, weights, epsilon);
    const feed = feedForward(ops, weights, 'gelu-tanh');
    const attention = new Attention(ops, weights, { width: C, heads, imageWidth: E });
    const parts = Array.from({ length: layers }, (_, layer) => ({
      name: `layer${layer}`,
      words: attention.layer(`layer${layer}.attention`, { ofImage: false }),
      cross: attention.layer(`layer${layer}.cross`, { ofImage: true }),
    }));
    const words = weights.get('word'); // [V,C]
    const unembedding = ops.transpose(ownHead ? weights.get('head') : words, [1, 0]); // [C,V]
    return {
      start(image) {
        return {
          memory: { image },
          state: nameLayers(parts.map(() => attention.nothing(image))),
        };
      },

      step(memory, state, { tokens, positions }, { width: W, perHypothesis }) {
        const position = ops.gather(weights.get('position'), positions);
        let x = ops.add(ops.gather(words, tokens), position); // [N,C]
        let shown: typeof x | undefined;
        const image = { tokens: tensorOf(memory, 'image'), count: L };
        const said = parts.map(({ name, words: own, cross }, layer) => {
          const past = layerOf(state, layer);
          const before = { keys: perHypothesis(past.keys), values: perHypothesis(past.values) };
          const reading = norm(x, `${name}.attention.norm`);
          const kept = attention.append(before, attention.remember(reading, own));
          const read = attention.ofOwn(attention.ask(reading, own), kept);
          x = ops.add(x, attention.answer(read, own));

          const questions = attention.ask(norm(x, `${name}.cross.norm`), cross);
          const { seen, fit } = attention.ofImage(questions, image, cross, W);
          if (layer === shownLayer) shown = lookAtPatches(ops, fit);
          x = ops.add(x, attention.answer(seen, cross));
          x = ops.add(x, feed(norm(x, `${name}.feed.norm`), `${name}.feed`));
          return kept;
        });
        return {
          logits: ops.dense(norm(x, 'norm'), unembedding), // [N,V]
          state: nameLayers(said),
          ...(shown !== undefined && { attention: shown }), // [N,L-1]
        };
      },
    };
  },

  parameters({ width: C, layers, inner, positions, ownHead }, { channels, vocabulary }) {
    const each = (name: string): ParameterSpecs => ({
      ...normSpecs(`${name}.attention.norm`, C),
      ...attentionSpecs(`${name}.attention`, C),
      ...normSpecs(`${name}.cross.norm`, C),
      ...attentionSpecs(`${name}.cross`, C, channels),
      ...normSpecs(`${name}.feed.norm`, C),
      ...feedForwardSpecs(`${name}.feed`, C, inner),
    });
    return {
      word: { shape: [vocabulary, C], limit: 0.02 },
      position: { shape: [positions, C], limit: 0.02 },
      ...Object.assign({}, ...Array.from({ length: layers }, (_, layer) => each(`layer${layer}`))),
      ...normSpecs('norm', C),
      ...(ownHead && { head: { shape: [vocabulary, C], limit: 0.02 } }),
    };
  },
};
