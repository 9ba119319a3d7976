/**
 * The library's short path: pixels in, captions out. Every other path (a pipeline's two workers, a
 * program on a laptop) composes the same two halves, `encodeImages` and `captionFeatures`, with
 * features in float16 between them, so that all give the same captions.
 */
import { searchCaptions } from './beam-search.ts';
import type { CaptionOptions } from './caption-options.ts';
import type { Decoder, Encoder, Engine } from './engines/engine.ts';
import { fromFloat16, toFloat16 } from './float16.ts';
import type { ModelBundle } from './model-bundle.ts';
import { spell } from './vocabulary.ts';

/** One of the n best captions of an image. */
export interface Caption {
  caption: string;
  /** Sum of the words' natural-log probabilities, the end token's included. */
  logProb: number;
  /** logProb, length-normalised. */
  score: number;
  /** On request: L weights a word, each row summing to 1. */
  attention?: Float32Array[];
}

/** `pixels [B,H,W,3]` sRGB bytes of `count` (B) images → features `[B,L,D]` float16. */
export async function encodeImages(
  encoder: Encoder,
  pixels: Uint8Array,
  count: number,
): Promise<Uint16Array> {
  return toFloat16(await encoder.encode(pixels, count));
}

/** Features `[B,L,D]` float16 of `count` (B) images → the n best captions of each, best first. */
export async function captionFeatures(
  decoder: Decoder,
  features: Uint16Array,
  count: number,
  options: CaptionOptions,
): Promise<Caption[][]> {
  const found = await searchCaptions(decoder, fromFloat16(features), count, options);
  return found.map((candidates) =>
    candidates.map(({ tokens, ...rest }) => ({
      caption: spell(decoder.vocabulary, tokens),
      ...rest,
    })),
  );
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
