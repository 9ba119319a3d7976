/**
 * The search for one image's captions: which hypotheses live on, and which captions have ended. The
 * rules are beam-search.ts's.
 */
import type { CaptionOptions } from './caption-options.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface SearchCandidate {
  /** Word ids, the end token not included. */
  tokens: number[];
  /** Sum of the words' natural-log probabilities, the end token's included. */
  logProb: number;
  /** logProb, length-normalised. */
  score: number;
  /** On request: L weights a word, each row summing to 1. */
  attention?: Float32Array[];
}

/** A sentence that may go on: its last word, and what came before. */
export interface Hypothesis {
  token: number;
  logProb: number;
  /** The row of the last step's state that it continues. */
  parent: number;
  previous?: Hypothesis;
  /** Where the decoder looked to say `token`. */
  attention?: Float32Array;
}

/** One word more, for a live hypothesis. */
export interface Continuation {
  /** hypothesis·V + token */
  index: number;
  hypothesis: number;
  token: number;
  logProb: number;
  /** The row of this step. */
  row: number;
  attention?: Float32Array;
}

/** The search for one image's captions. */
export class ImageSearch {
  /** The best so far, best first; in the end, n. */
  readonly candidates: SearchCandidate[] = [];
  finished = false;

  readonly #options: CaptionOptions;
  readonly #end: number;
  /** At most K, best first. */
  #live: Hypothesis[];

  constructor(image: number, { start, end }: Vocabulary, options: CaptionOptions) {
    this.#options = options;
    this.#end = end;
    this.#live = [{ token: start, logProb: 0, parent: image }];
  }

  /** Has all captions go on with a token, whatever it scores. */
  say(token: number, row: number, attention: Float32Array | undefined): void {
    const [previous] = this.#live as [Hypothesis];
    const next = { token, logProb: 0, parent: row, previous };
    this.#live = [{ ...next, ...(attention && { attention }) }];
  }

  /** The live hypotheses, filled up to `width` with rows that cannot win. */
  rows(width: number): Hypothesis[] {
    const parent = this.#live[0]?.parent ?? 0;
    const unused = { token: this.#end, logProb: -Infinity, parent };
    return Array.from({ length: width }, (_, index) => this.#live[index] ?? unused);
  }

  /** Continuations, by index, that would repeat a sequence of `noRepeatNgram` words. */
  bans(vocabulary: number): Set<number> {
    const { noRepeatNgram } = this.#options;
    if (noRepeatNgram === 0) return new Set();
    return new Set(
      this.#live.flatMap((hypothesis, index) =>
        repeatingWords(wordsOf(hypothesis), noRepeatNgram).map((word) => index * vocabulary + word),
      ),
    );
  }

  /** Takes the best continuations of hypotheses of `words` words: ends, and what lives on. */
  advance(continuations: readonly Continuation[], words: number): void {
    const { beamSize, stopEarly, lengthMax } = this.#options;
    const tokens = words + 1;
    const live: Hypothesis[] = [];
    for (const [rank, continuation] of continuations.entries()) {
      const { hypothesis, token, logProb, row, attention } = continuation;
      const previous = this.#live[hypothesis] as Hypothesis;
      const next = { token, logProb, parent: row, previous, ...(attention && { attention }) };
      const isLast = token === this.#end || (stopEarly && tokens === lengthMax);
      if (isLast) {
        if (stopEarly && rank >= beamSize) continue;
        this.#addCandidate(token === this.#end ? previous : next, logProb, tokens);
      } else if (live.length < beamSize) live.push(next);
    }
    this.#live = stopEarly
      ? this.#unlessOver(live, tokens)
      : live.filter((hypothesis) => this.#canWin(hypothesis));
    this.finished = this.#live.length === 0;
    if (this.finished) this.candidates.splice(this.#options.candidates);
  }

  /** @param tokens the end token counted */
  #addCandidate(last: Hypothesis, logProb: number, tokens: number): void {
    const score = normalised(logProb, tokens, this.#options);
    const place = this.candidates.findIndex((candidate) => candidate.score < score);
    const rank = place === -1 ? this.candidates.length : place;
    if (rank >= this.#kept) return;
    const looks = this.#options.attention && { attention: attentionOf(last) };
    this.candidates.splice(rank, 0, { tokens: wordsOf(last), logProb, score, ...looks });
    this.candidates.length = Math.min(this.candidates.length, this.#kept);
  }

  /** Candidates that decide when the search is over. */
  get #kept(): number {
    return this.#options.stopEarly ? this.#options.beamSize : this.#options.candidates;
  }

  /** Whether a sentence that begins with it may yet be among the n best. */
  #canWin({ logProb }: Hypothesis): boolean {
    const worst = this.candidates[this.#kept - 1];
    return !worst || normalised(logProb, this.#options.lengthMax + 1, this.#options) > worst.score;
  }

  /** None, once the best of them is no better, as it stands, than the worst of K candidates. */
  #unlessOver(live: Hypothesis[], tokens: number): Hypothesis[] {
    const worst = this.candidates[this.#kept - 1];
    const best = live[0];
    if (!worst || !best) return live;
    return normalised(best.logProb, tokens, this.#options) > worst.score ? live : [];
  }
}

/** score = logProb / tokens^α, the end token counted. */
function normalised(logProb: number, tokens: number, { lengthPenalty }: CaptionOptions): number {
  return logProb / tokens ** lengthPenalty;
}

/** Words that, said next, would complete a sequence of `n` words that is already there. */
function repeatingWords(words: readonly number[], n: number): number[] {
  const tail = words.slice(words.length - (n - 1));
  if (tail.length < n - 1) return [];
  const repeating: number[] = [];
  for (let at = 0; at + n <= words.length; at++) {
    if (tail.every((word, offset) => words[at + offset] === word)) {
      repeating.push(words[at + n - 1] as number);
    }
  }
  return repeating;
}

function wordsOf(last: Hypothesis): number[] {
  return pathTo(last).map(({ token }) => token);
}

function attentionOf(last: Hypothesis): Float32Array[] {
  return pathTo(last).map(({ attention }) => attention as Float32Array);
}

/** From the first word to the last; the start token is left out. */
function pathTo(last: Hypothesis): Hypothesis[] {
  const path: Hypothesis[] = [];
  for (let at = last; at.previous; at = at.previous) path.push(at);
  return path.reverse();
}
