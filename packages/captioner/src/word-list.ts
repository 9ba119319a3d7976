/**
 * A vocabulary of whole words. Line n of vocabulary.txt is the word with id n; the first four are
 * tokens that no caption contains.
 */
import type { Vocabulary } from './vocabulary.ts';

const specialTokens = ['<pad>', '<start>', '<end>', '<unk>'] as const;
const [pad, start, end, unknown] = [0, 1, 2, 3] as const;

export interface WordList extends Vocabulary {
  /** By word id. */
  readonly words: readonly string[];
}

/** @throws Error that starts with `name` and says which line is wrong. */
export function parseWordList(bytes: Uint8Array, name: string): WordList {
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
  return wordList(words);
}

/** @param words the four tokens first */
export function wordList(words: readonly string[]): WordList {
  const idOf = (word: string) => {
    const id = words.indexOf(word.toLowerCase(), specialTokens.length);
    if (id === -1) throw new Error(`the model does not know the word '${word}'`);
    return id;
  };
  return {
    words,
    size: words.length,
    ...{ start, end, neverSaid: [pad, start, unknown] },
    description: { size: words.length },
    format: () => Buffer.from(words.map((word) => `${word}\n`).join('')),
    spell: (tokens) => tokens.map((token) => words[token]).join(' '),
    read: (text) => text.split(/\s+/).filter(Boolean).map(idOf),
  };
}
