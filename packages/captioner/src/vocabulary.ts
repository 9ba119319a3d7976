/**
 * What a decoder reads and says: V tokens, which are words in some models and pieces of words in
 * others. A file of the bundle holds them: a list of words (word-list.ts), or a tokenizer as it was
 * published (tokenizer.ts).
 */
import type { ModelDescription } from './model-description.ts';

export interface Vocabulary {
  /** V */
  readonly size: number;
  /** Every caption begins after it. */
  readonly start: number;
  /** Ends a caption. In some models it is the same token as `start`. */
  readonly end: number;
  /** Tokens that no caption contains; they take no share of probability. */
  readonly neverSaid: readonly number[];
  /** The caption that tokens spell. */
  spell(tokens: readonly number[]): string;
  /** What model.json says of it. */
  readonly description: ModelDescription['vocabulary'];
  /** The contents of its file. */
  format(): Uint8Array;
  /** The tokens of a text that a caption may begin with. @throws Error where there are none for it */
  read(text: string): number[];
}
