/**
 * Vision Transformer (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929) as an encoder:
 * all tokens of its last layer, so that a decoder can attend over them.
 *
 *     tokens   class token, then a token a patch of P×P pixels      [B,L,D], L = 1 + HW/P²    eq. 1
 *     layers   x += attention(norm x);  x += feed(norm x)           [B,L,D]                   eqs. 2, 3
 *     norm                                                          [B,L,D]                   eq. 4
 *
 * CLIP's (Radford et al. 2021, https://arxiv.org/abs/2103.00020), which GIT uses, has a norm before
 * the first layer as well, approximates GELU by a sigmoid, and has no bias at its patches (zeros).
 */
import { z } from 'zod';
import {
  attentionSpecs,
  feedForward,
  feedForwardSpecs,
  layerNorms,
  normSpecs,
} from '../transformer.ts';
import { biasSpec, denseLayers, type ParameterSpecs } from '../weights.ts';
import type { EncoderFamily } from './encoder-family.ts';

const size = z.int().positive();

const sizesSchema = z.strictObject({
  /** P: the side of a patch, in pixels. */
  patch: size,
  /** Patches of an image, down and across; their positions are learned. */
  grid: z.tuple([size, size]),
  /** D: a token. */
  width: size,
  layers: size,
  /** They divide D among them. */
  heads: size,
  /** Channels inside a feed-forward layer. */
  inner: size,
  gelu: z.enum(['gelu', 'gelu-sigmoid']),
  /** Whether there is a norm before the first layer. */
  normBefore: z.boolean(),
  /** ε of the norms. */
  epsilon: z.number().positive(),
});

export type VitSizes = z.infer<typeof sizesSchema>;

export const vit: EncoderFamily<VitSizes> = {
  name: 'vit',
  sizesSchema,
  // The tokens of one image fill the matrices: of 8, one takes a fifth longer.
  deviceBatch: 1,

  encode(ops, weights, sizes, images) {
    const { patch, grid, width: D, layers, heads, gelu, normBefore, epsilon } = sizes;
    const dense = denseLayers(ops, weights);
    const norm = layerNorms(ops, weights, epsilon);
    const feed = feedForward(ops, weights, gelu);
    const bias = weights.get('patch.bias');
    const pieces = ops.conv2d(images, weights.get('patch.kernel'), { bias, stride: patch });
    const patches = ops.reshape(pieces, [-1, grid[0] * grid[1], D]); // [B,L-1,D]
    const classes = ops.add(ops.zeros(patches, [1, D]), weights.get('class')); // [B,1,D]
    let x = ops.add(ops.concat([classes, patches], 1), weights.get('position')); // [B,L,D]
    if (normBefore) x = norm(x, 'before');
    for (let layer = 0; layer < layers; layer++) {
      const name = (part: string) => `layer${layer}.${part}`;
      const seen = norm(x, name('attention.norm'));
      const [q, k, v] = ['query', 'key', 'value'].map((part) =>
        dense(seen, name(`attention.${part}`)),
      ) as [typeof x, typeof x, typeof x]; // [B,L,D]
      const attended = ops.attention(q, k, v, heads);
      x = ops.add(x, dense(attended, name('attention.output')));
      x = ops.add(x, feed(norm(x, name('feed.norm')), name('feed')));
    }
    return norm(x, 'norm');
  },

  parameters({ patch, grid, width: D, layers, inner, normBefore }) {
    const each = (layer: number): ParameterSpecs => ({
      ...normSpecs(`layer${layer}.attention.norm`, D),
      ...attentionSpecs(`layer${layer}.attention`, D),
      ...normSpecs(`layer${layer}.feed.norm`, D),
      ...feedForwardSpecs(`layer${layer}.feed`, D, inner),
    });
    return {
      'patch.kernel': { shape: [patch, patch, 3, D], limit: Math.sqrt(3 / (3 * patch * patch)) },
      'patch.bias': biasSpec(D),
      class: { shape: [1, 1, D], limit: 0.02 },
      position: { shape: [1 + grid[0] * grid[1], D], limit: 0.02 },
      ...(normBefore && normSpecs('before', D)),
      ...Object.assign({}, ...Array.from({ length: layers }, (_, layer) => each(layer))),
      ...normSpecs('norm', D),
    };
  },

  featureMapShape({ patch, grid: [rows, columns], width }, height, imageWidth) {
    if (height !== rows * patch || imageWidth !== columns * patch) {
      throw new Error(
        `a grid of ${rows}×${columns} patches of ${patch} pixels is of images of ` +
          `${columns * patch}×${rows * patch} pixels, not ${imageWidth}×${height}`,
      );
    }
    return [1 + rows * columns, width];
  },
};
