// @ts-check

/** The small files of a checkpoint, as transformers reads and Cutline converts them. */

/** @import { Architecture, Text, Vision } from './architectures.mjs' */

/** BERT's own. */
const bert = { pad: 0, unknown: 100, start: 101, end: 102 };

/**
 * @param {Architecture} architecture
 * @returns {Record<string, unknown>} JSON by file name
 */
export function settingsOf({ family, vision, text }) {
  const generation = { _from_model_config: true };
  const blipStart = text.vocabulary - 2;
  const endOfText = text.vocabulary - 1;
  if (family === 'blip') {
    return {
      'config.json': {
        architectures: ['BlipForConditionalGeneration'],
        model_type: 'blip',
        text_config: {
          model_type: 'blip_text_model',
          ...bertConfig(text),
          encoder_hidden_size: vision.width,
          bos_token_id: blipStart,
          sep_token_id: bert.end,
          eos_token_id: bert.end,
          is_decoder: true,
        },
        vision_config: {
          ...visionConfig(vision),
          model_type: 'blip_vision_model',
          layer_norm_eps: 1e-5,
        },
      },
      'generation_config.json': {
        ...generation,
        bos_token_id: blipStart,
        eos_token_id: bert.end,
        pad_token_id: bert.pad,
      },
      'preprocessor_config.json': squash(vision.image, 'BlipImageProcessor', 3),
      ...wordPiece(text.vocabulary, ['[DEC]', '[ENC]']),
    };
  }
  if (family === 'vit-gpt2') {
    return {
      'config.json': {
        architectures: ['VisionEncoderDecoderModel'],
        model_type: 'vision-encoder-decoder',
        is_encoder_decoder: true,
        decoder_start_token_id: endOfText,
        eos_token_id: endOfText,
        pad_token_id: endOfText,
        encoder: { ...visionConfig(vision), model_type: 'vit', layer_norm_eps: 1e-12 },
        decoder: {
          model_type: 'gpt2',
          vocab_size: text.vocabulary,
          n_positions: text.positions,
          n_embd: text.width,
          n_layer: text.layers,
          n_head: text.heads,
          n_inner: text.inner,
          activation_function: 'gelu_new',
          add_cross_attention: true,
          is_decoder: true,
          bos_token_id: endOfText,
          eos_token_id: endOfText,
        },
      },
      'generation_config.json': {
        ...generation,
        decoder_start_token_id: endOfText,
        eos_token_id: endOfText,
        pad_token_id: endOfText,
      },
      'preprocessor_config.json': squash(vision.image, 'ViTImageProcessor', 2),
      ...bytePairs(text.vocabulary),
    };
  }
  return {
    'config.json': {
      architectures: ['GitForCausalLM'],
      model_type: 'git',
      ...bertConfig(text),
      bos_token_id: bert.start,
      eos_token_id: bert.end,
      pad_token_id: bert.pad,
      num_image_with_embedding: null,
      tie_word_embeddings: false,
      vision_config: {
        ...visionConfig(vision),
        model_type: 'git_vision_model',
        hidden_act: 'quick_gelu',
        layer_norm_eps: 1e-5,
      },
    },
    'generation_config.json': {
      ...generation,
      bos_token_id: bert.start,
      eos_token_id: bert.end,
      pad_token_id: bert.pad,
    },
    'preprocessor_config.json': {
      do_center_crop: true,
      crop_size: { height: vision.image, width: vision.image },
      do_resize: true,
      size: { shortest_edge: vision.image },
      image_processor_type: 'CLIPImageProcessor',
      resample: 3,
      image_mean: [0.48145466, 0.4578275, 0.40821073],
      image_std: [0.26862954, 0.26130258, 0.27577711],
    },
    ...wordPiece(text.vocabulary, []),
  };
}

/** @param {Vision} vision */
function visionConfig({ width, layers, heads, inner, patch, image }) {
  return {
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: inner,
    patch_size: patch,
    image_size: image,
    hidden_act: 'gelu',
  };
}

/** @param {Text} text */
function bertConfig({ width, layers, heads, inner, positions, vocabulary }) {
  return {
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: inner,
    max_position_embeddings: positions,
    vocab_size: vocabulary,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-12,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
  };
}

/** @param {number} side @param {string} type @param {number} resample PIL's number */
function squash(side, type, resample) {
  return {
    do_resize: true,
    size: { height: side, width: side },
    image_processor_type: type,
    resample,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  };
}

/** Made-up words, where BERT's are. @param {number} size @param {string[]} last */
function wordPiece(size, last) {
  const special = new Map([
    [bert.pad, '[PAD]'],
    [bert.unknown, '[UNK]'],
    [bert.start, '[CLS]'],
    [bert.end, '[SEP]'],
    [103, '[MASK]'],
    ...last.map((token, n) => /** @type {const} */ ([size - last.length + n, token])),
  ]);
  const words = Array.from({ length: size }, (_, id) => special.get(id) ?? `w${id}`);
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens(special),
      normalizer: {
        type: 'BertNormalizer',
        ...{ clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: null,
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      },
    },
    'tokenizer_config.json': { tokenizer_class: 'BertTokenizer', do_lower_case: true },
  };
}

const byteLevel = { add_prefix_space: true, trim_offsets: true, use_regex: true };

/** Made-up words, where GPT-2's are. @param {number} size */
function bytePairs(size) {
  const endOfText = size - 1;
  const words = Array.from({ length: size }, (_, id) =>
    id === endOfText ? '<|endoftext|>' : `Ġw${id}`,
  );
  const special = new Map([[endOfText, '<|endoftext|>']]);
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens(special),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', ...byteLevel, add_prefix_space: false },
      post_processor: null,
      decoder: { type: 'ByteLevel', ...byteLevel },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
        merges: [],
      },
    },
    'tokenizer_config.json': { tokenizer_class: 'GPT2Tokenizer' },
  };
}

/** @param {ReadonlyMap<number, string>} tokens */
function addedTokens(tokens) {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return Array.from(tokens, ([id, content]) => ({ id, content, ...flags, special: true }));
}
