/** BLIP's captioners (`BlipForConditionalGeneration`): encoder `vit`, decoder `blip`. */
import { z } from 'zod';
import type { BlipSizes } from '../decoders/blip.ts';
import {
  bertSizes,
  shownLayerOf,
  takeBertAttention,
  takeBertEmbeddings,
  takeBertLayer,
  vitConfig,
} from './published-bert.ts';
import type { PublishedFamily } from './published-family.ts';
import { parse, readPreprocessing } from './published-settings.ts';
import { takeVit, vitSizes } from './published-vit.ts';
import { PublishedWeights } from './published-weights.ts';

const configSchema = z.object({
  text_config: z.object({
    ...bertSizes({ layers: 12, heads: 8, positions: 512 }),
    vocab_size: z.int().positive().default(30524),
    bos_token_id: z.int().min(0).default(30522),
    /** Ends captions, whatever `eos_token_id` says. */
    sep_token_id: z.int().min(0).default(102),
  }),
  vision_config: z.object(vitConfig({ image: 384, epsilon: 1e-5, act: 'gelu' })),
});

export const publishedBlip: PublishedFamily = {
  isOf: ({ model_type: type }) => type === 'blip',

  async convert(checkpoint) {
    const { text_config: text, vision_config: vision } = parse(
      configSchema,
      checkpoint.config,
      'config.json',
    );
    const preprocessing = readPreprocessing(checkpoint);
    const encoderSizes = vitSizes(vision, preprocessing, {
      normBefore: false,
      imageSize: checkpoint.imageSize,
    });
    const encoder = new PublishedWeights(checkpoint);
    const seen = 'vision_model';
    await takeVit(encoder, encoderSizes, vision, {
      class: `${seen}.embeddings.class_embedding`,
      position: `${seen}.embeddings.position_embedding`,
      patch: `${seen}.embeddings.patch_embedding`,
      after: `${seen}.post_layernorm`,
      layer: (layer) => ({
        attentionNorm: `${seen}.encoder.layers.${layer}.layer_norm1`,
        queryKeyValue: `${seen}.encoder.layers.${layer}.self_attn.qkv`,
        output: `${seen}.encoder.layers.${layer}.self_attn.projection`,
        feedNorm: `${seen}.encoder.layers.${layer}.layer_norm2`,
        inner: `${seen}.encoder.layers.${layer}.mlp.fc1`,
        outer: `${seen}.encoder.layers.${layer}.mlp.fc2`,
      }),
    });

    const decoderSizes: BlipSizes = {
      width: text.hidden_size,
      layers: text.num_hidden_layers,
      heads: text.num_attention_heads,
      inner: text.intermediate_size,
      positions: text.max_position_embeddings,
      epsilon: text.layer_norm_eps,
      shownLayer: shownLayerOf(text.num_hidden_layers),
    };
    const decoder = new PublishedWeights(checkpoint);
    const said = 'text_decoder.bert';
    await takeBertEmbeddings(decoder, `${said}.embeddings`);
    for (let layer = 0; layer < decoderSizes.layers; layer++) {
      const from = `${said}.encoder.layer.${layer}`;
      await takeBertLayer(decoder, from, `layer${layer}`);
      await takeBertAttention(decoder, `${from}.crossattention`, `layer${layer}.cross`);
    }
    const head = 'text_decoder.cls.predictions';
    await decoder.linear(`${head}.transform.dense`, 'head');
    await decoder.norm(`${head}.transform.LayerNorm`, 'head.norm');
    await decoder.take(`${head}.bias`, 'bias');

    return {
      preprocessing,
      encoder: { family: 'vit', sizes: encoderSizes, weights: encoder.weights },
      decoder: { family: 'blip', sizes: decoderSizes, weights: decoder.weights },
      tokens: { size: text.vocab_size, start: text.bos_token_id, end: text.sep_token_id },
    };
  },
};
