/**
 * A decoder whose probabilities are a function of the image and of all words so far, computed in
 * plain numbers: what beam search is to be tested against needs no network.
 */

import {
  createRandom,
  type Decoder,
  type DecoderSession,
  fromFloat16,
  type StepRequest,
  type StepResult,
  type WordList,
  wordList,
} from '@cutline/captioner';
import { normalise } from './reference-search.ts';

/** `[V]` log-probabilities after `words` (without the start token) for the image of that seed. */
export type Language = (image: number, words: readonly number[]) => Float32Array;

/** Random but fixed; `<end>` is likely enough for captions of different lengths. */
export function randomLanguage(vocabulary: number, seed: number): Language {
  return (image, words) => {
    const key = words.reduce((hash, word) => Math.imul(hash, 31) + word + 1, image * 7919 + seed);
    const random = createRandom(key);
    const weights = Array.from({ length: vocabulary }, () => random() ** 3 + 1e-3);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return Float32Array.from(weights, (weight) => Math.log(weight / total));
  };
}

/** Features are one number an image: its seed. */
export class TableDecoder implements Decoder {
  readonly vocabulary: WordList;
  readonly tokensMax = Number.POSITIVE_INFINITY;
  readonly deviceBatch = 2;
  readonly featuresShape = [1, 1] as const;
  readonly attends = true;
  /** Rows computed so far, to see what early stopping and compaction save. */
  rows = 0;
  openSessions = 0;
  /** Images of each session, in the order in which they were opened. */
  readonly sessions: number[] = [];
  readonly #language: Language;

  constructor(vocabulary: number, language: Language) {
    this.vocabulary = wordList(Array.from({ length: vocabulary }, (_, id) => `word${id}`));
    this.#language = language;
  }

  async start(features: Uint16Array | Float32Array, count: number): Promise<DecoderSession> {
    this.openSessions++;
    this.sessions.push(count);
    const vocabulary = this.vocabulary.size;
    let images = [...(features instanceof Uint16Array ? fromFloat16(features) : features)];
    let prefixes: number[][] = Array.from({ length: count }, () => []);
    return {
      step: async (request: StepRequest): Promise<StepResult> => {
        if (request.stay) images = Array.from(request.stay, (at) => images[at] as number);
        this.rows += request.tokens.length;
        prefixes = Array.from(request.parents, (parent, row) => [
          ...(prefixes[parent] as number[]),
          request.tokens[row] as number,
        ]);
        return this.#continue(request, images, prefixes, vocabulary);
      },
      dispose: () => {
        this.openSessions--;
      },
    };
  }

  dispose(): void {}

  #continue(request: StepRequest, images: number[], prefixes: number[][], vocabulary: number) {
    const { width, count } = request;
    const values = new Float32Array(request.images * count);
    const indices = new Int32Array(request.images * count);
    for (const [image, seed] of images.entries()) {
      const all: { value: number; index: number }[] = [];
      for (let hypothesis = 0; hypothesis < width; hypothesis++) {
        const row = image * width + hypothesis;
        const logProbs = normalise(
          this.#language(seed, (prefixes[row] as number[]).slice(1)),
          (word) => request.excluded[word] === 0,
        );
        for (let word = 0; word < vocabulary; word++) {
          const total =
            (logProbs[word] as number) +
            (request.scores[row] as number) +
            (request.penalties[word] as number);
          all.push({ value: Math.fround(total), index: hypothesis * vocabulary + word });
        }
      }
      all.sort((a, b) => (a.value === b.value ? a.index - b.index : b.value - a.value));
      for (const [rank, { value, index }] of all.slice(0, count).entries()) {
        values[image * count + rank] = value;
        indices[image * count + rank] = index;
      }
    }
    // "Attention" that names its row, so that a test can follow it back.
    const attention = prefixes.map((prefix) => Float32Array.of(prefix.length, prefix.at(-1) ?? -1));
    return { values, indices, ...(request.attention && { attention }) };
  }
}
