/**
 * Older checkpoints have their vocabulary in parts, as the tokenizers of their time read them:
 * BERT's WordPiece in vocab.txt, a token a line, and GPT-2's byte-level BPE in vocab.json and
 * merges.txt. From these, what their tokenizer.json would say.
 */
import { z } from 'zod';
import { parse } from './published-settings.ts';

/** Of one form or of the other; of these, the text of whichever file is there. */
export interface TokenizerParts {
  'vocab.txt'?: string | undefined;
  'vocab.json'?: string | undefined;
  'merges.txt'?: string | undefined;
  /** Tokens that were added later, with their numbers. */
  'added_tokens.json'?: string | undefined;
}

const tokenSchema = z.union([
  z.string(),
  z.object({ content: z.string() }).transform(({ content }) => content),
]);
const configSchema = z.object({
  do_lower_case: z.boolean().default(true),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().default(true),
  add_prefix_space: z.boolean().default(false),
  unk_token: tokenSchema.nullish(),
  added_tokens_decoder: z.record(z.string(), z.object({ content: z.string() })).default({}),
});
type TokenizerConfig = z.infer<typeof configSchema>;

const numbersSchema = z.record(z.string(), z.int().min(0));
type Numbers = Record<string, number>;

/** Those that the tokenizers of either kind know without being told. */
const bertTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const gpt2Tokens = ['<|endoftext|>'];

/**
 * @param config tokenizer_config.json, if there is one
 * @returns tokenizer.json; undefined where the parts are of neither form
 * @throws Error that starts with the file's name
 */
export function assembleTokenizer(parts: TokenizerParts, config: unknown): Uint8Array | undefined {
  const found = parse(configSchema, config ?? {}, 'tokenizer_config.json');
  const { 'vocab.txt': words, 'vocab.json': pieces, 'merges.txt': merges } = parts;
  const added = { ...readNumbers(parts['added_tokens.json'], 'added_tokens.json') };
  for (const [id, { content }] of Object.entries(found.added_tokens_decoder)) {
    added[content] = Number(id);
  }
  if (words !== undefined) return format(wordPiece(words, found), added, bertTokens);
  if (pieces === undefined || merges === undefined) return undefined;
  return format(bytePairs(pieces, merges, found), added, gpt2Tokens);
}

function wordPiece(words: string, config: TokenizerConfig) {
  const lines = words.split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  return {
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars,
      strip_accents: config.strip_accents ?? null,
      lowercase: config.do_lower_case,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: config.unk_token ?? '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(lines.map((word, id): [string, number] => [word, id])),
    },
  };
}

function bytePairs(pieces: string, merges: string, config: TokenizerConfig) {
  const lines = merges.split(/\r\n|\r|\n/).filter((line) => line && !line.startsWith('#version'));
  const pairs = lines.map((line) => line.split(' '));
  const strange = pairs.findIndex(({ length }) => length !== 2);
  if (strange !== -1) throw new Error(`merges.txt: "${lines[strange]}" is not a pair`);
  return {
    normalizer: null,
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: config.add_prefix_space,
      trim_offsets: true,
      use_regex: true,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab: readNumbers(pieces, 'vocab.json'),
      merges: pairs,
    },
  };
}

function format(
  kind: { model: { vocab: Numbers } } & Record<string, unknown>,
  added: Numbers,
  special: readonly string[],
): Uint8Array {
  const { vocab } = kind.model;
  const known = special.flatMap((token) =>
    token in vocab ? [[token, vocab[token]] as const] : [],
  );
  const tokens = Object.entries({ ...Object.fromEntries(known), ...added });
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.map(([content, id]) => ({ id, content, ...flags, special: true })),
    post_processor: null,
    ...kind,
  };
  return Buffer.from(JSON.stringify(json));
}

function readNumbers(text: string | undefined, file: string): Numbers {
  if (text === undefined) return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file}: not JSON`, { cause });
  }
  return parse(numbersSchema, json, file);
}
