/**
 * Beam search (as in Vinyals et al. 2015, section 3.3), batched over images and hypotheses. It
 * decides which words to keep; a `DecoderSession` computes their probabilities.
 *
 * At each step an image has up to K live hypotheses of equal length. Of their K·V continuations the
 * best 2K are taken: at most K of them are ends, so at least K go on. Ends become candidates,
 * ranked by score = logProb / (words + 1)^α. After `lengthMax` words only the end may follow, so
 * that every candidate is a whole sentence.
 *
 * A hypothesis that cannot beat the n candidates any more is given up. A logProb only ever falls
 * and no caption is longer than `lengthMax`, so it cannot score better than
 * logProb / (lengthMax + 1)^α; nor can what takes its place, whose logProb is lower. So this saves
 * work and never changes a result. An image that has no live hypotheses left is finished, and
 * leaves the batch.
 *
 * Published transformers were tried with another rule for when to stop, and models whose bundle says
 * so (`stopEarly`) are searched by it: see caption-options.ts. It ends sooner, and may miss a longer
 * caption that would have scored better.
 *
 * With K as large as the number of prefixes this is an exhaustive search, and a test holds it to
 * that. Of equals, the earlier hypothesis and the lower word id win.
 */
import { type CaptionOptions, captionOptionsSchema } from './caption-options.ts';
import type { Decoder, StepResult } from './engines/engine.ts';
import { type Continuation, ImageSearch, type SearchCandidate } from './image-search.ts';
import type { Vocabulary } from './vocabulary.ts';

/**
 * The n best captions of each image, best first. There are fewer than n only where the rules
 * leave no more sentences (a vocabulary of a few words). No caption is longer than what the decoder
 * can read, whatever `lengthMax` allows. With a prompt, all begin with it.
 *
 * @param features `[B,L,D]` of `count` (B) images, float16 or float32
 * @throws z.ZodError for options out of range
 * @throws RangeError when attention is asked of a decoder that has none, or the prompt is too long
 * @throws Error when the decoder does not know a word of the prompt
 */
export async function searchCaptions(
  decoder: Decoder,
  features: Uint16Array | Float32Array,
  count: number,
  wanted: CaptionOptions,
): Promise<SearchCandidate[][]> {
  captionOptionsSchema.parse(wanted);
  const prompt = wanted.prompt === undefined ? [] : decoder.vocabulary.read(wanted.prompt);
  // The start token, the prompt and all words but the last, or but the end, are read.
  const readable = decoder.tokensMax - 1 - prompt.length;
  if (readable < 1) throw new RangeError(`the prompt "${wanted.prompt}" is too long for the model`);
  const options = { ...wanted, lengthMax: Math.min(wanted.lengthMax, readable) };
  if (options.attention && !decoder.attends) {
    throw new RangeError('this decoder has no attention to return; leave the option off');
  }
  if (count === 0) return [];

  const { size: vocabulary } = decoder.vocabulary;
  const excluded = excludedWords(decoder.vocabulary);
  const searches = Array.from(
    { length: count },
    (_, image) => new ImageSearch(image, decoder.vocabulary, options),
  );
  const session = await decoder.start(features, count);
  try {
    for (const token of prompt) {
      const rows = searches.flatMap((search) => search.rows(1));
      const { attention } = await session.step({
        ...{ images: count, width: 1, count: 1, excluded, attention: options.attention },
        tokens: Int32Array.from(rows, (row) => row.token),
        parents: Int32Array.from(rows, (row) => row.parent),
        scores: new Float32Array(count),
        penalties: new Float32Array(vocabulary),
      });
      for (const [row, search] of searches.entries()) search.say(token, row, attention?.[row]);
    }
    let active = searches;
    let stay: Int32Array | undefined;
    for (let words = 0; active.length > 0; words++) {
      const width = words === 0 ? 1 : options.beamSize;
      const rows = active.flatMap((search) => search.rows(width));
      const bans = active.map((search) => search.bans(vocabulary));
      // Banned continuations may be among the best: ask for that many more.
      const spare = Math.max(...bans.map((banned) => banned.size));
      const asked = Math.min(2 * options.beamSize + spare, width * vocabulary);
      const result = await session.step({
        images: active.length,
        width,
        ...(stay && { stay }),
        tokens: Int32Array.from(rows, ({ token }) => token),
        parents: Int32Array.from(rows, ({ parent }) => parent),
        scores: Float32Array.from(rows, ({ logProb }) => logProb),
        excluded,
        penalties: penaltiesAfter(words, decoder.vocabulary, options),
        count: asked,
        attention: options.attention,
      });
      for (const [image, search] of active.entries()) {
        const allowed = continuationsOf(result, image, { asked, width, vocabulary })
          .filter(({ index }) => !bans[image]?.has(index))
          .slice(0, 2 * options.beamSize);
        search.advance(allowed, words);
      }
      const goOn = placesThatGoOn(active);
      stay = goOn.length < active.length ? Int32Array.from(goOn) : undefined;
      active = goOn.map((place) => active[place] as ImageSearch);
    }
  } finally {
    session.dispose();
  }
  return searches.map((search) => search.candidates);
}

/** Of the unfinished searches. The last ones close the gaps, so that few memories have to move. */
function placesThatGoOn(searches: readonly ImageSearch[]): number[] {
  const unfinished = searches.flatMap(({ finished }, place) => (finished ? [] : [place]));
  const count = unfinished.length;
  const moving = unfinished.filter((place) => place >= count);
  return Array.from({ length: count }, (_, place) =>
    searches[place]?.finished ? (moving.pop() as number) : place,
  );
}

/** Which words may not follow hypotheses of `words` words: -Infinity for those, 0 for others. */
function penaltiesAfter(
  words: number,
  { size, end }: Vocabulary,
  options: CaptionOptions,
): Float32Array {
  const penalties = new Float32Array(size);
  if (words === options.lengthMax && !options.stopEarly) {
    penalties.fill(-Infinity).fill(0, end, end + 1);
  }
  if (words < options.lengthMin) penalties[end] = -Infinity;
  return penalties;
}

/** Tokens that no caption contains: -Infinity for those, 0 for words. */
function excludedWords({ size, neverSaid }: Vocabulary): Float32Array {
  const excluded = new Float32Array(size);
  for (const token of neverSaid) excluded[token] = -Infinity;
  return excluded;
}

/** An image's part of a step's result, without impossible continuations. */
function continuationsOf(
  { values, indices, attention }: StepResult,
  image: number,
  { asked, width, vocabulary }: { asked: number; width: number; vocabulary: number },
): Continuation[] {
  const continuations: Continuation[] = [];
  for (let at = image * asked; at < (image + 1) * asked; at++) {
    const logProb = values[at] as number;
    if (logProb === -Infinity) break;
    const index = indices[at] as number;
    const hypothesis = Math.floor(index / vocabulary);
    const row = image * width + hypothesis;
    continuations.push({
      index,
      hypothesis,
      token: index % vocabulary,
      logProb,
      row,
      ...(attention && { attention: attention[row] as Float32Array }),
    });
  }
  return continuations;
}
