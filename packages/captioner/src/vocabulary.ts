/**
 * The words that a decoder knows. Line n of vocabulary.txt is the word with id n; the first four
 * are tokens that no caption contains.
 */
export const padToken = 0;
export const startToken = 1;
export const endToken = 2;
export const unknownToken = 3;

const specialTokens = ['<pad>', '<start>', '<end>', '<unk>'] as const;

export interface Vocabulary {
  /** By word id. */
  readonly words: readonly string[];
}

/** @throws Error that starts with `name` and says which line is wrong. */
export function parseVocabulary(bytes: Uint8Array, name: string): Vocabulary {
  const words = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\n');
  if (words.at(-1) === '') words.pop(); // the last line ends in a newline, too
  for (const [id, token] of specialTokens.entries()) {
    if (words[id] !== token) {
      throw new Error(`${name}: line ${id + 1} should be ${token}, and is '${words[id] ?? ''}'`);
    }
  }
  const lines = new Map<string, number>();
  for (const [id, word] of words.entries()) {
    if (word === '' || /\s/.test(word)) {
      throw new Error(`${name}: line ${id + 1} should be one word, and is '${word}'`);
    }
    const first = lines.get(word);
    if (first !== undefined) {
      throw new Error(`${name}: '${word}' is there twice, in lines ${first + 1} and ${id + 1}`);
    }
    lines.set(word, id);
  }
  return { words };
}

export function formatVocabulary({ words }: Vocabulary): Uint8Array {
  return Buffer.from(words.map((word) => `${word}\n`).join(''));
}

/** The caption that a sequence of word ids spells. */
export function spell(vocabulary: Vocabulary, tokens: readonly number[]): string {
  return tokens.map((token) => vocabulary.words[token]).join(' ');
}
