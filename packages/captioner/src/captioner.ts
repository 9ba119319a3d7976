/**
 * The library's short path: pixels in, captions out. Every other path (a pipeline's two workers, a
 * program on a laptop) composes the same two halves, `encodeImages` and `captionFeatures`, with
 * features in float16 between them, so that all give the same captions.
 *
 * Here, and nowhere else, a batch becomes device batches: as many images as are computed at a time.
 * What comes out does not depend on their size.
 */
import { searchCaptions } from './beam-search.ts';
import type { CaptionOptions } from './caption-options.ts';
import { divideBatch } from './divide-batch.ts';
import type { Decoder, Encoder, Engine } from './engines/engine.ts';
import { checkLength } from './engines/plain-arrays.ts';
import type { ModelBundle } from './model-bundle.ts';
import type { Vocabulary } from './vocabulary.ts';
import { elementCount } from './weights.ts';

/** One of the n best captions of an image. */
export interface Caption {
  caption: string;
  /** Sum of the words' natural-log probabilities, the end token's included. */
  logProb: number;
  /** logProb, length-normalised. */
  score: number;
  /** On request: P weights a word of the caption, each row summing to 1. */
  attention?: Float32Array[];
}

/**
 * `pixels [B,H,W,3]` sRGB bytes of `count` (B) images → features `[B,L,D]` float16.
 *
 * @throws RangeError when `pixels` is not as long as `count` says.
 */
export async function encodeImages(
  encoder: Encoder,
  pixels: Uint8Array,
  count: number,
  deviceBatch = encoder.deviceBatch,
): Promise<Uint16Array<ArrayBuffer>> {
  const imageShape = [...encoder.imageSize, 3];
  checkLength('pixels', pixels, [count, ...imageShape]);
  const imageLength = elementCount(imageShape);
  const featuresLength = elementCount(encoder.featuresShape);
  const features = new Uint16Array(count * featuresLength);
  const together = Math.min(deviceBatch, encoder.deviceBatchMax);
  for (const [first, end] of divideBatch(count, Math.ceil(count / together))) {
    const piece = pixels.subarray(first * imageLength, end * imageLength);
    features.set(await encoder.encode(piece, end - first), first * featuresLength);
  }
  return features;
}

/**
 * Features `[B,L,D]` float16 of `count` (B) images → the n best captions of each, best first.
 *
 * @throws RangeError when `features` is not as long as `count` says.
 * @throws as `searchCaptions`
 */
export async function captionFeatures(
  decoder: Decoder,
  features: Uint16Array,
  count: number,
  options: CaptionOptions,
  deviceBatch = decoder.deviceBatch,
): Promise<Caption[][]> {
  checkLength('features', features, [count, ...decoder.featuresShape]);
  const featuresLength = elementCount(decoder.featuresShape);
  const captions: Caption[][] = [];
  for (const [first, end] of divideBatch(count, Math.ceil(count / deviceBatch))) {
    const piece = features.subarray(first * featuresLength, end * featuresLength);
    const found = await searchCaptions(decoder, piece, end - first, options);
    for (const candidates of found) {
      captions.push(
        candidates.map(({ tokens, attention, ...rest }) => ({
          caption: decoder.vocabulary.spell(tokens),
          ...rest,
          ...(attention && { attention: attentionByWord(decoder.vocabulary, tokens, attention) }),
        })),
      );
    }
  }
  return captions;
}

/** Where the decoder looked for each word: the mean over the tokens that the word is made of. */
function attentionByWord(
  { spell }: Vocabulary,
  tokens: readonly number[],
  attention: readonly Float32Array[],
): Float32Array[] {
  const wordsUpTo = (end: number) => spell(tokens.slice(0, end)).split(' ').filter(Boolean).length;
  const byWord = Array.from({ length: wordsUpTo(tokens.length) }, (): Float32Array[] => []);
  for (const [index, weights] of attention.entries()) {
    byWord[Math.max(0, wordsUpTo(index + 1) - 1)]?.push(weights);
  }
  return byWord.flatMap((pieces) => (pieces[0] ? [mean(pieces)] : []));
}

function mean(pieces: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = pieces;
  if (pieces.length === 1) return first;
  return first.map((_, place) => {
    const sum = pieces.reduce((total, weights) => total + (weights[place] as number), 0);
    return sum / pieces.length;
  });
}

export interface Captioner {
  /** `pixels [B,H,W,3]`, preprocessed as model.json says → the n best captions of each image. */
  caption(
    pixels: Uint8Array,
    count: number,
    options?: Partial<CaptionOptions>,
  ): Promise<Caption[][]>;
  dispose(): void;
}

/** Both halves of a model on one engine; options that are not given are the model's own. */
export async function createCaptioner(engine: Engine, bundle: ModelBundle): Promise<Captioner> {
  const encoder = await engine.loadEncoder(bundle);
  const decoder = await engine.loadDecoder(bundle);
  return {
    async caption(pixels, count, options = {}) {
      const features = await encodeImages(encoder, pixels, count);
      const decoding = { ...bundle.description.decoding, ...options };
      return captionFeatures(decoder, features, count, decoding);
    },
    dispose() {
      encoder.dispose();
      decoder.dispose();
    },
  };
}
