/**
 * A vocabulary of pieces of words, as it was published: tokenizer.json, in the format of the
 * tokenizers library (https://huggingface.co/docs/tokenizers), which knows how text is divided
 * (WordPiece, Wu et al. 2016; byte-level BPE, Radford et al. 2019) and put together again.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import type { ModelDescription } from './model-description.ts';
import type { Vocabulary } from './vocabulary.ts';

/** What model.json says of a tokenizer. V is the model's, which may have tokens to spare. */
export type TokenizerDescription = Extract<ModelDescription['vocabulary'], { start: number }>;

/** @throws Error that starts with `name`, where it is no tokenizer. */
export function parseTokenizer(
  bytes: Uint8Array,
  description: TokenizerDescription,
  name: string,
): Vocabulary {
  const { size, start, end, cleanUp } = description;
  let tokenizer: Tokenizer;
  try {
    const json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    tokenizer = new Tokenizer(json, {});
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name}: not a tokenizer that is known here (${reason})`, { cause });
  }
  return {
    ...{ size, start, end, neverSaid: [] },
    description,
    format: () => bytes,
    spell: (tokens) =>
      tokenizer
        .decode([...tokens], { skip_special_tokens: true, clean_up_tokenization_spaces: cleanUp })
        .trim(),
    read: (text) => {
      const { ids } = tokenizer.encode(text, { add_special_tokens: false }) as { ids: number[] };
      const strange = ids.find((id) => id >= size);
      if (strange !== undefined) throw new Error(`the model has no token ${strange} ('${text}')`);
      return ids;
    },
  };
}
