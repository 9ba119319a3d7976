/** GIT's captioners (`GitForCausalLM`): encoder `vit`, decoder `git`. */
import { z } from 'zod';
import type { GitSizes } from '../decoders/git.ts';
import {
  bertSizes,
  shownLayerOf,
  takeBertEmbeddings,
  takeBertLayer,
  vitConfig,
} from './published-bert.ts';
import type { PublishedFamily } from './published-family.ts';
import { parse, readPreprocessing } from './published-settings.ts';
import { takeVit, vitSizes } from './published-vit.ts';
import { PublishedWeights } from './published-weights.ts';

const configSchema = z.object({
  ...bertSizes({ layers: 6, heads: 12, positions: 1024 }),
  vocab_size: z.int().positive().default(30522),
  bos_token_id: z.int().min(0).default(101),
  eos_token_id: z.int().min(0).default(102),
  /** Frames of a video, which have embeddings of their own. */
  num_image_with_embedding: z.null().default(null),
  vision_config: z.object(vitConfig({ image: 224, epsilon: 1e-5, act: 'quick_gelu' })),
});

/** PyTorch's default, which configurations do not mention. */
const visualEpsilon = 1e-5;

export const publishedGit: PublishedFamily = {
  isOf: ({ model_type: type }) => type === 'git',

  async convert(checkpoint) {
    const config = parse(configSchema, checkpoint.config, 'config.json');
    const preprocessing = readPreprocessing(checkpoint);
    const encoderSizes = vitSizes(config.vision_config, preprocessing, {
      normBefore: true,
      imageSize: checkpoint.imageSize,
    });
    const encoder = new PublishedWeights(checkpoint);
    const seen = 'git.image_encoder.vision_model';
    await takeVit(encoder, encoderSizes, config.vision_config, {
      class: `${seen}.embeddings.class_embedding`,
      position: `${seen}.embeddings.position_embedding.weight`,
      patch: `${seen}.embeddings.patch_embedding`,
      before: `${seen}.pre_layrnorm`, // so published
      after: `${seen}.post_layernorm`,
      layer: (layer) => {
        const from = `${seen}.encoder.layers.${layer}`;
        return {
          attentionNorm: `${from}.layer_norm1`,
          queryKeyValue: [
            `${from}.self_attn.q_proj`,
            `${from}.self_attn.k_proj`,
            `${from}.self_attn.v_proj`,
          ],
          output: `${from}.self_attn.out_proj`,
          feedNorm: `${from}.layer_norm2`,
          inner: `${from}.mlp.fc1`,
          outer: `${from}.mlp.fc2`,
        };
      },
    });

    const decoderSizes: GitSizes = {
      width: config.hidden_size,
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      inner: config.intermediate_size,
      positions: config.max_position_embeddings,
      epsilon: config.layer_norm_eps,
      visualEpsilon,
      shownLayer: shownLayerOf(config.num_hidden_layers),
    };
    const decoder = new PublishedWeights(checkpoint);
    await decoder.linear('git.visual_projection.visual_projection.0', 'visual');
    await decoder.norm('git.visual_projection.visual_projection.1', 'visual.norm');
    await takeBertEmbeddings(decoder, 'git.embeddings');
    for (let layer = 0; layer < decoderSizes.layers; layer++) {
      await takeBertLayer(decoder, `git.encoder.layer.${layer}`, `layer${layer}`);
    }
    await decoder.linear('output', 'head');

    return {
      preprocessing,
      encoder: { family: 'vit', sizes: encoderSizes, weights: encoder.weights },
      decoder: { family: 'git', sizes: decoderSizes, weights: decoder.weights },
      tokens: { size: config.vocab_size, start: config.bos_token_id, end: config.eos_token_id },
    };
  },
};
