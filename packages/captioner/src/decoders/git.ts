/**
 * The text decoder of GIT (Wang et al. 2022, https://arxiv.org/abs/2205.14100): a transformer that
 * reads the image's tokens, then words, in one row. Tokens of the image attend to each other, words
 * to all of them and to the words before.
 *
 *     image    v = norm(visual(f))                                    the projection
 *     words    x = norm(word[w] + position[t])
 *     layers   x = norm(x + attention(x; v in this layer, what was said))
 *              x = norm(x + feed(x))
 *     log p = log softmax(head(x))
 *
 * As nothing of the image depends on words, its way through the layers is gone once (the memory: its
 * tokens before each); keys and values of a word are computed once it is read (the state).
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
  /** T: words at most, the first token counted. */
  positions: size,
  /** ε of the norms of the text decoder. */
  epsilon: z.number().positive(),
  /** ε of the norm of the projection. */
  visualEpsilon: z.number().positive(),
  /** Whose attention to the image is shown. */
  shownLayer: z.int().min(0),
});

export type GitSizes = z.infer<typeof sizesSchema>;

export const git: DecoderFamily<GitSizes> = {
  name: 'git',
  sizesSchema,
  attends: true,
  tokensMax: ({ positions }) => positions,

  projection: {
    parameters: ({ width }, channels) => ({
      ...denseSpecs('visual', channels, width),
      ...normSpecs('visual.norm', width),
    }),
    shape: ({ width }, [locations]) => [locations, width],
    project(ops, weights, { visualEpsilon }, featureMap) {
      const visual = denseLayers(ops, weights)(featureMap, 'visual');
      return layerNorms(ops, weights, visualEpsilon)(visual, 'visual.norm');
    },
  },

  build(ops, weights, { width: C, layers, heads, epsilon, shownLayer }, { locations: L }) {
    const dense = denseLayers(ops, weights);
    const norm = layerNorms(ops, weights, epsilon);
    const feed = feedForward(ops, weights, 'gelu');
    const attention = new Attention(ops, weights, { width: C, heads, imageWidth: C });
    const parts = Array.from({ length: layers }, (_, layer) => ({
      name: `layer${layer}`,
      own: attention.layer(`layer${layer}.attention`, { ofImage: true }),
    }));
    return {
      start(image) {
        let x = image; // [B,L,C]
        const memory = parts.map(({ name }, layer) => {
          const before = x;
          const [q, k, v] = ['query', 'key', 'value'].map((part) =>
            dense(x, `${name}.attention.${part}`),
          ) as [typeof x, typeof x, typeof x];
          const read = dense(ops.attention(q, k, v, heads), `${name}.attention.output`);
          x = norm(ops.add(x, read), `${name}.attention.norm`);
          x = norm(ops.add(x, feed(x, `${name}.feed`)), `${name}.feed.norm`);
          return [`image${layer}`, before] as const;
        });
        return {
          memory: Object.fromEntries(memory),
          state: nameLayers(parts.map(() => attention.nothing(image))),
        };
      },

      step(memory, state, { tokens, positions }, { width: W, perHypothesis }) {
        const position = ops.gather(weights.get('position'), positions);
        let x = norm(ops.add(ops.gather(weights.get('word'), tokens), position), 'norm'); // [N,C]
        let shown: typeof x | undefined;
        const said = parts.map(({ name, own }, layer) => {
          const past = layerOf(state, layer);
          const before = { keys: perHypothesis(past.keys), values: perHypothesis(past.values) };
          const kept = attention.append(before, attention.remember(x, own));
          const image = { tokens: tensorOf(memory, `image${layer}`), count: L };
          const { seen, fit } = attention.ofBoth(attention.ask(x, own), image, kept, own, W);
          if (layer === shownLayer) shown = lookAtPatches(ops, fit);
          x = norm(ops.add(x, attention.answer(seen, own)), `${name}.attention.norm`);
          x = norm(ops.add(x, feed(x, `${name}.feed`)), `${name}.feed.norm`);
          return kept;
        });
        return {
          logits: dense(x, 'head'), // [N,V]
          state: nameLayers(said),
          ...(shown !== undefined && { attention: shown }), // [N,L-1]
        };
      },
    };
  },

  parameters({ width: C, layers, inner, positions }, { vocabulary }) {
    const each = (name: string): ParameterSpecs => ({
      ...attentionSpecs(`${name}.attention`, C),
      ...normSpecs(`${name}.attention.norm`, C),
      ...feedForwardSpecs(`${name}.feed`, C, inner),
      ...normSpecs(`${name}.feed.norm`, C),
    });
    return {
      word: { shape: [vocabulary, C], limit: 0.02 },
      position: { shape: [positions, C], limit: 0.02 },
      ...normSpecs('norm', C),
      ...Object.assign({}, ...Array.from({ length: layers }, (_, layer) => each(`layer${layer}`))),
      ...denseSpecs('head', C, vocabulary),
    };
  },
};
