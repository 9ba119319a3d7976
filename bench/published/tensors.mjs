// @ts-check

/** The tensors of a published checkpoint: names and shapes, as PyTorch has them. */

/** @import { Architecture, Vision } from './architectures.mjs' */

/** @typedef {(name: string, ...shape: number[]) => void} Declare */

/**
 * @param {Architecture} architecture
 * @returns {Map<string, number[]>}
 */
export function tensorsOf(architecture) {
  /** @type {Map<string, number[]>} */
  const tensors = new Map();
  declarations[architecture.family](architecture, (name, ...shape) => tensors.set(name, shape));
  return tensors;
}

const declarations = { blip: declareBlip, 'vit-gpt2': declareVitGpt2, git: declareGit };

/** @param {Architecture} architecture @param {Declare} declare */
function declareBlip({ vision, text }, declare) {
  const { width: D } = vision;
  const seen = 'vision_model';
  declare(`${seen}.embeddings.class_embedding`, 1, 1, D);
  declare(`${seen}.embeddings.position_embedding`, 1, tokensOf(vision), D);
  declarePatches(`${seen}.embeddings.patch_embedding`, vision, declare);
  for (let layer = 0; layer < vision.layers; layer++) {
    const from = `${seen}.encoder.layers.${layer}`;
    declareNorm(`${from}.layer_norm1`, D, declare);
    declareLinear(`${from}.self_attn.qkv`, D, 3 * D, declare);
    declareLinear(`${from}.self_attn.projection`, D, D, declare);
    declareNorm(`${from}.layer_norm2`, D, declare);
    declareLinear(`${from}.mlp.fc1`, D, vision.inner, declare);
    declareLinear(`${from}.mlp.fc2`, vision.inner, D, declare);
  }
  declareNorm(`${seen}.post_layernorm`, D, declare);

  const { width: C } = text;
  const said = 'text_decoder.bert';
  declareBertEmbeddings(`${said}.embeddings`, text, declare);
  for (let layer = 0; layer < text.layers; layer++) {
    const from = `${said}.encoder.layer.${layer}`;
    declareBertLayer(from, text, declare);
    declareBertAttention(`${from}.crossattention`, C, D, declare);
  }
  const head = 'text_decoder.cls.predictions';
  declareLinear(`${head}.transform.dense`, C, C, declare);
  declareNorm(`${head}.transform.LayerNorm`, C, declare);
  declare(`${head}.bias`, text.vocabulary);
}

/** @param {Architecture} architecture @param {Declare} declare */
function declareVitGpt2({ vision, text }, declare) {
  const { width: D } = vision;
  declare('encoder.embeddings.cls_token', 1, 1, D);
  declare('encoder.embeddings.position_embeddings', 1, tokensOf(vision), D);
  declarePatches('encoder.embeddings.patch_embeddings.projection', vision, declare);
  for (let layer = 0; layer < vision.layers; layer++) {
    const from = `encoder.encoder.layer.${layer}`;
    declareNorm(`${from}.layernorm_before`, D, declare);
    for (const part of ['query', 'key', 'value']) {
      declareLinear(`${from}.attention.attention.${part}`, D, D, declare);
    }
    declareLinear(`${from}.attention.output.dense`, D, D, declare);
    declareNorm(`${from}.layernorm_after`, D, declare);
    declareLinear(`${from}.intermediate.dense`, D, vision.inner, declare);
    declareLinear(`${from}.output.dense`, vision.inner, D, declare);
  }
  declareNorm('encoder.layernorm', D, declare);
  declareLinear('encoder.pooler.dense', D, D, declare); // published, and used by nobody

  const { width: C, inner } = text;
  const said = 'decoder.transformer';
  if (C !== D) declareLinear('enc_to_dec_proj', D, C, declare);
  declare(`${said}.wte.weight`, text.vocabulary, C);
  declare(`${said}.wpe.weight`, text.positions, C);
  for (let layer = 0; layer < text.layers; layer++) {
    const from = `${said}.h.${layer}`;
    declareNorm(`${from}.ln_1`, C, declare);
    declareColumns(`${from}.attn.c_attn`, C, 3 * C, declare);
    declareColumns(`${from}.attn.c_proj`, C, C, declare);
    declareNorm(`${from}.ln_cross_attn`, C, declare);
    declareColumns(`${from}.crossattention.q_attn`, C, C, declare);
    declareColumns(`${from}.crossattention.c_attn`, C, 2 * C, declare);
    declareColumns(`${from}.crossattention.c_proj`, C, C, declare);
    declareNorm(`${from}.ln_2`, C, declare);
    declareColumns(`${from}.mlp.c_fc`, C, inner, declare);
    declareColumns(`${from}.mlp.c_proj`, inner, C, declare);
  }
  declareNorm(`${said}.ln_f`, C, declare);
}

/** @param {Architecture} architecture @param {Declare} declare */
function declareGit({ vision, text }, declare) {
  const { width: D, inner } = vision;
  const seen = 'git.image_encoder.vision_model';
  declare(`${seen}.embeddings.class_embedding`, D);
  declare(`${seen}.embeddings.position_embedding.weight`, tokensOf(vision), D);
  declare(`${seen}.embeddings.patch_embedding.weight`, D, 3, vision.patch, vision.patch);
  declareNorm(`${seen}.pre_layrnorm`, D, declare); // so published
  for (let layer = 0; layer < vision.layers; layer++) {
    const from = `${seen}.encoder.layers.${layer}`;
    declareNorm(`${from}.layer_norm1`, D, declare);
    for (const part of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) {
      declareLinear(`${from}.self_attn.${part}`, D, D, declare);
    }
    declareNorm(`${from}.layer_norm2`, D, declare);
    declareLinear(`${from}.mlp.fc1`, D, inner, declare);
    declareLinear(`${from}.mlp.fc2`, inner, D, declare);
  }
  declareNorm(`${seen}.post_layernorm`, D, declare);

  const { width: C } = text;
  declareLinear('git.visual_projection.visual_projection.0', D, C, declare);
  declareNorm('git.visual_projection.visual_projection.1', C, declare);
  declareBertEmbeddings('git.embeddings', text, declare);
  for (let layer = 0; layer < text.layers; layer++) {
    declareBertLayer(`git.encoder.layer.${layer}`, text, declare);
  }
  declareLinear('output', C, text.vocabulary, declare);
}

/** L. @param {Vision} vision */
function tokensOf({ image, patch }) {
  return 1 + Math.floor(image / patch) ** 2;
}

/** @param {string} name @param {Vision} vision @param {Declare} declare */
function declarePatches(name, { width, patch }, declare) {
  declare(`${name}.weight`, width, 3, patch, patch);
  declare(`${name}.bias`, width);
}

/**
 * @param {string} name
 * @param {Pick<Architecture['text'], 'width' | 'positions' | 'vocabulary'>} text
 * @param {Declare} declare
 */
function declareBertEmbeddings(name, { width, positions, vocabulary }, declare) {
  declare(`${name}.word_embeddings.weight`, vocabulary, width);
  declare(`${name}.position_embeddings.weight`, positions, width);
  declareNorm(`${name}.LayerNorm`, width, declare);
}

/**
 * @param {string} name
 * @param {Pick<Architecture['text'], 'width' | 'inner'>} text
 * @param {Declare} declare
 */
function declareBertLayer(name, { width, inner }, declare) {
  declareBertAttention(`${name}.attention`, width, width, declare);
  declareLinear(`${name}.intermediate.dense`, width, inner, declare);
  declareLinear(`${name}.output.dense`, inner, width, declare);
  declareNorm(`${name}.output.LayerNorm`, width, declare);
}

/** @param {string} name @param {number} width @param {number} attended @param {Declare} declare */
function declareBertAttention(name, width, attended, declare) {
  declareLinear(`${name}.self.query`, width, width, declare);
  declareLinear(`${name}.self.key`, attended, width, declare);
  declareLinear(`${name}.self.value`, attended, width, declare);
  declareLinear(`${name}.output.dense`, width, width, declare);
  declareNorm(`${name}.output.LayerNorm`, width, declare);
}

/** @param {string} name @param {number} inputs @param {number} outputs @param {Declare} declare */
function declareLinear(name, inputs, outputs, declare) {
  declare(`${name}.weight`, outputs, inputs);
  declare(`${name}.bias`, outputs);
}

/** GPT-2's, which lie the other way. @param {string} name @param {number} inputs @param {number} outputs @param {Declare} declare */
function declareColumns(name, inputs, outputs, declare) {
  declare(`${name}.weight`, inputs, outputs);
  declare(`${name}.bias`, outputs);
}

/** @param {string} name @param {number} size @param {Declare} declare */
function declareNorm(name, size, declare) {
  declare(`${name}.weight`, size);
  declare(`${name}.bias`, size);
}
