/** Searches without tricks: every sentence, or a beam for one image that never stops early. */
import type { CaptionOptions } from '@cutline/captioner';

export interface Found {
  tokens: number[];
  logProb: number;
  score: number;
}

/** Log-probabilities after these words. */
export type NextWord = (words: readonly number[]) => ArrayLike<number>;

const end = 2;
const neverGenerated = [0, 1, 3];
const isSaid = (token: number) => !neverGenerated.includes(token);

/** Log-probabilities among the words that are said; -Infinity for the others. */
export function normalise(logProbs: ArrayLike<number>, said: (token: number) => boolean): number[] {
  const kept = Array.from(logProbs, (value, token) => (said(token) ? value : -Infinity));
  const total = Math.log(kept.reduce((sum, value) => sum + Math.exp(value), 0));
  return kept.map((value) => value - total);
}

/** The n best of all sentences that the options allow. */
export function searchExhaustively(
  next: NextWord,
  vocabulary: number,
  options: CaptionOptions,
): Found[] {
  const found: Found[] = [];
  const visit = (words: number[], logProb: number) => {
    const logProbs = normalise(next(words), isSaid);
    for (const token of allowed(words, vocabulary, options)) {
      const total = Math.fround(logProb + (logProbs[token] as number));
      if (token === end) found.push(candidate(words, total, options));
      else visit([...words, token], total);
    }
  };
  visit([], 0);
  return best(found, options);
}

/** Beam search as its definition has it. */
export function searchNaively(
  next: NextWord,
  vocabulary: number,
  options: CaptionOptions,
): Found[] {
  const found: Found[] = [];
  let live = [{ words: [] as number[], logProb: 0 }];
  while (live.length > 0) {
    const all = live.flatMap(({ words, logProb }) => {
      const logProbs = normalise(next(words), isSaid);
      return allowed(words, vocabulary, options).map((token) => ({
        words,
        token,
        logProb: Math.fround(logProb + (logProbs[token] as number)),
      }));
    });
    all.sort((a, b) => b.logProb - a.logProb);
    const taken = all.slice(0, 2 * options.beamSize);
    for (const { words, token, logProb } of taken) {
      if (token === end) found.push(candidate(words, logProb, options));
    }
    live = taken
      .filter(({ token }) => token !== end)
      .slice(0, options.beamSize)
      .map(({ words, token, logProb }) => ({ words: [...words, token], logProb }));
  }
  return best(found, options);
}

/**
 * The search of transformers' `generate` with beams, step by step as its documentation has it:
 * `early_stopping` false, and the length counted without the start token.
 */
export function searchAsPublished(
  next: NextWord,
  vocabulary: number,
  options: CaptionOptions,
): Found[] {
  const { beamSize, lengthMax, lengthPenalty } = options;
  const scoreOf = (logProb: number, length: number) => logProb / length ** lengthPenalty;
  // One word longer than allowed: the end is not the only one that may follow then.
  const free = { ...options, lengthMax: lengthMax + 1 };
  let ended: Found[] = [];
  let running = [{ words: [] as number[], logProb: 0 }];
  for (let length = 1; length <= lengthMax && running.length > 0; length++) {
    const top = running
      .flatMap(({ words, logProb }) => {
        const logProbs = normalise(next(words), isSaid);
        return allowed(words, vocabulary, free).map((token) => ({
          words,
          token,
          logProb: Math.fround(logProb + (logProbs[token] as number)),
        }));
      })
      .sort((a, b) => b.logProb - a.logProb)
      .slice(0, 2 * beamSize);
    for (const { words, token, logProb } of top.slice(0, beamSize)) {
      if (token !== end && length < lengthMax) continue;
      const tokens = token === end ? words : [...words, token];
      ended.push({ tokens, logProb, score: scoreOf(logProb, length) });
    }
    ended = ended.sort((a, b) => b.score - a.score).slice(0, beamSize);
    running = top
      .filter(({ token }) => token !== end)
      .slice(0, beamSize)
      .map(({ words, token, logProb }) => ({ words: [...words, token], logProb }));
    const [first] = running;
    const worst = ended[beamSize - 1];
    if (first && worst && scoreOf(first.logProb, length) <= worst.score) break;
  }
  return ended.slice(0, options.candidates);
}

function allowed(words: number[], vocabulary: number, options: CaptionOptions): number[] {
  return Array.from({ length: vocabulary }, (_, token) => token).filter((token) => {
    if (neverGenerated.includes(token)) return false;
    if (token === end) return words.length >= options.lengthMin;
    if (words.length >= options.lengthMax) return false;
    return options.noRepeatNgram === 0 || !repeats([...words, token], options.noRepeatNgram);
  });
}

function repeats(words: number[], n: number): boolean {
  const seen = new Set<string>();
  for (let at = 0; at + n <= words.length; at++) {
    const ngram = words.slice(at, at + n).join(' ');
    if (seen.has(ngram)) return true;
    seen.add(ngram);
  }
  return false;
}

function candidate(tokens: number[], logProb: number, { lengthPenalty }: CaptionOptions): Found {
  return { tokens, logProb, score: logProb / (tokens.length + 1) ** lengthPenalty };
}

function best(found: Found[], { candidates }: CaptionOptions): Found[] {
  return found.sort((a, b) => b.score - a.score).slice(0, candidates);
}
