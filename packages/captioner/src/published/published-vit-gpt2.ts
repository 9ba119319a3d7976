/**
 * A ViT and a GPT-2 that were put together (`VisionEncoderDecoderModel`): encoder `vit`, decoder
 * `gpt2`.
 */
import { z } from 'zod';
import type { Gpt2Sizes } from '../decoders/gpt2.ts';
import { shownLayerOf, vitConfig } from './published-bert.ts';
import type { PublishedFamily } from './published-family.ts';
import { parse, readPreprocessing } from './published-settings.ts';
import { takeVit, vitSizes } from './published-vit.ts';
import { PublishedWeights } from './published-weights.ts';

const size = z.int().positive();
const token = z.int().min(0).nullish();

const configSchema = z.object({
  encoder: z.object({
    model_type: z.literal('vit'),
    ...vitConfig({ image: 224, epsilon: 1e-12, act: 'gelu' }),
    qkv_bias: z.boolean().default(true),
  }),
  decoder: z.object({
    model_type: z.literal('gpt2'),
    vocab_size: size.default(50257),
    n_positions: size.default(1024),
    n_embd: size.default(768),
    n_layer: size.default(12),
    n_head: size.default(12),
    n_inner: size.nullish(),
    activation_function: z.literal(['gelu_new', 'gelu_pytorch_tanh']).default('gelu_new'),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    scale_attn_weights: z.literal(true).default(true),
    scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
    cross_attention_hidden_size: size.nullish(),
    bos_token_id: token,
    eos_token_id: token,
  }),
  decoder_start_token_id: token,
  eos_token_id: token,
});

/** Of GPT-2, where a configuration names none. */
const endOfText = 50256;

export const publishedVitGpt2: PublishedFamily = {
  isOf: ({ model_type: type, encoder, decoder }) =>
    type === 'vision-encoder-decoder' &&
    encoder?.model_type === 'vit' &&
    decoder?.model_type === 'gpt2',

  async convert(checkpoint) {
    const config = parse(configSchema, checkpoint.config, 'config.json');
    const preprocessing = readPreprocessing(checkpoint);
    const encoderSizes = vitSizes(config.encoder, preprocessing, {
      normBefore: false,
      imageSize: checkpoint.imageSize,
    });
    const encoder = new PublishedWeights(checkpoint);
    await takeVit(encoder, encoderSizes, config.encoder, {
      class: 'encoder.embeddings.cls_token',
      position: 'encoder.embeddings.position_embeddings',
      patch: 'encoder.embeddings.patch_embeddings.projection',
      after: 'encoder.layernorm',
      layer: (layer) => {
        const from = `encoder.encoder.layer.${layer}`;
        return {
          attentionNorm: `${from}.layernorm_before`,
          queryKeyValue: [
            `${from}.attention.attention.query`,
            `${from}.attention.attention.key`,
            `${from}.attention.attention.value`,
          ],
          output: `${from}.attention.output.dense`,
          feedNorm: `${from}.layernorm_after`,
          inner: `${from}.intermediate.dense`,
          outer: `${from}.output.dense`,
        };
      },
    });

    const gpt2 = config.decoder;
    const decoder = new PublishedWeights(checkpoint);
    const decoderSizes: Gpt2Sizes = {
      width: gpt2.n_embd,
      layers: gpt2.n_layer,
      heads: gpt2.n_head,
      inner: gpt2.n_inner ?? 4 * gpt2.n_embd,
      positions: gpt2.n_positions,
      epsilon: gpt2.layer_norm_epsilon,
      bridge: decoder.has('enc_to_dec_proj.weight'),
      // Most are published with the words' vectors a second time.
      ownHead: await hasOwnHead(checkpoint),
      shownLayer: shownLayerOf(gpt2.n_layer),
    };
    const said = 'decoder.transformer';
    if (decoderSizes.bridge) await decoder.linear('enc_to_dec_proj', 'bridge');
    await decoder.take(`${said}.wte.weight`, 'word');
    await decoder.take(`${said}.wpe.weight`, 'position');
    if (decoderSizes.ownHead) await decoder.take('decoder.lm_head.weight', 'head');
    for (let layer = 0; layer < decoderSizes.layers; layer++) {
      const from = `${said}.h.${layer}`;
      const own = (part: string) => `layer${layer}.${part}`;
      const attention = (name: string, parts: string[]) =>
        parts.map((part) => own(`${name}.${part}`));
      await decoder.norm(`${from}.ln_1`, own('attention.norm'));
      await decoder.columns(
        `${from}.attn.c_attn`,
        attention('attention', ['query', 'key', 'value']),
      );
      await decoder.columns(`${from}.attn.c_proj`, [own('attention.output')]);
      await decoder.norm(`${from}.ln_cross_attn`, own('cross.norm'));
      await decoder.columns(`${from}.crossattention.q_attn`, [own('cross.query')]);
      await decoder.columns(`${from}.crossattention.c_attn`, attention('cross', ['key', 'value']));
      await decoder.columns(`${from}.crossattention.c_proj`, [own('cross.output')]);
      await decoder.norm(`${from}.ln_2`, own('feed.norm'));
      await decoder.columns(`${from}.mlp.c_fc`, [own('feed.inner')]);
      await decoder.columns(`${from}.mlp.c_proj`, [own('feed.outer')]);
    }
    await decoder.norm(`${said}.ln_f`, 'norm');

    const end = config.eos_token_id ?? gpt2.eos_token_id ?? endOfText;
    return {
      preprocessing,
      encoder: { family: 'vit', sizes: encoderSizes, weights: encoder.weights },
      decoder: { family: 'gpt2', sizes: decoderSizes, weights: decoder.weights },
      tokens: {
        size: gpt2.vocab_size,
        start: config.decoder_start_token_id ?? gpt2.bos_token_id ?? end,
        end,
      },
    };
  },
};

async function hasOwnHead(checkpoint: Parameters<PublishedFamily['convert']>[0]): Promise<boolean> {
  const name = 'decoder.lm_head.weight';
  if (!checkpoint.has(name)) return false;
  const { data: head } = await checkpoint.read(name);
  const { data: words } = await checkpoint.read('decoder.transformer.wte.weight');
  return head.length !== words.length || head.some((value, index) => value !== words[index]);
}
