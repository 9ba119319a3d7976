/** What decoders that are BERT's kin have in common in published checkpoints: BLIP's and GIT's. */
import { z } from 'zod';
import type { PublishedWeights } from './published-weights.ts';

/** A layer's self-attention and feed-forward layer; `from` is the layer's published name. */
export async function takeBertLayer(
  weights: PublishedWeights,
  from: string,
  to: string,
): Promise<void> {
  await takeBertAttention(weights, `${from}.attention`, `${to}.attention`);
  await weights.linear(`${from}.intermediate.dense`, `${to}.feed.inner`);
  await weights.linear(`${from}.output.dense`, `${to}.feed.outer`);
  await weights.norm(`${from}.output.LayerNorm`, `${to}.feed.norm`);
}

export async function takeBertAttention(
  weights: PublishedWeights,
  from: string,
  to: string,
): Promise<void> {
  for (const part of ['query', 'key', 'value']) {
    await weights.linear(`${from}.self.${part}`, `${to}.${part}`);
  }
  await weights.linear(`${from}.output.dense`, `${to}.output`);
  await weights.norm(`${from}.output.LayerNorm`, `${to}.norm`);
}

export async function takeBertEmbeddings(weights: PublishedWeights, from: string): Promise<void> {
  await weights.take(`${from}.word_embeddings.weight`, 'word');
  await weights.take(`${from}.position_embeddings.weight`, 'position');
  await weights.norm(`${from}.LayerNorm`, 'norm');
}

/** In whose cross-attention, or attention to the image, one sees best where a model looks. */
export function shownLayerOf(layers: number): number {
  return Math.min(layers - 1, Math.floor((2 * layers) / 3));
}

const size = z.int().positive();

/** Sizes as configurations call them, with the defaults that they leave out. */
export const bertSizes = (defaults: { layers: number; heads: number; positions: number }) => ({
  hidden_size: size.default(768),
  num_hidden_layers: size.default(defaults.layers),
  num_attention_heads: size.default(defaults.heads),
  intermediate_size: size.default(3072),
  max_position_embeddings: size.default(defaults.positions),
  layer_norm_eps: z.number().positive().default(1e-12),
  hidden_act: z.literal('gelu').default('gelu'),
});

export const vitConfig = (defaults: {
  image: number;
  epsilon: number;
  act: 'gelu' | 'quick_gelu';
}) => ({
  hidden_size: size.default(768),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(12),
  intermediate_size: size.default(3072),
  patch_size: size.default(16),
  image_size: size.default(defaults.image),
  layer_norm_eps: z.number().positive().default(defaults.epsilon),
  hidden_act: z.enum(['gelu', 'quick_gelu']).default(defaults.act),
});
