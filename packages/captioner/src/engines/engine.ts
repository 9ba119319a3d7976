/**
 * What computes models. An engine holds a backend and loads either half of a model bundle; what it
 * returns works on plain arrays, so that nothing else needs to know about tensors.
 *
 * The contract, which one test suite holds every engine to: features, log-probabilities and
 * attention agree with the golden values to 1e-3, captions are the same, results do not depend on
 * how images are batched, and repeating work does not grow memory.
 */
import type { DecoderBundle, EncoderBundle } from '../model-bundle.ts';
import type { Vocabulary } from '../vocabulary.ts';

export type Backend = 'onnx' | 'tensorflow' | 'wasm';

export interface EngineOptions {
  /** Default: a GPU, where the backend finds one. */
  device?: 'cpu' | 'gpu';
  /** Where to keep what can be made of a model once and for all; default: nowhere. */
  cache?: EngineCache;
  /** Cores to use, of engines with threads of their own (TensorFlow); default: all. */
  threads?: number;
}

/** Folders that engines fill and want to find again at the next start. Whoever has a disk gives one. */
export interface EngineCache {
  /** The path of the folder of that name, if there is one. */
  find(name: string): Promise<string | undefined>;
  /**
   * Has `fill` write files into a folder, and keeps it under the name once it is whole, in the place
   * of one that is there.
   *
   * @returns its path; undefined where it could not be filled or kept, which is no error.
   */
  add(name: string, fill: (folder: string) => Promise<void>): Promise<string | undefined>;
}

/** One engine per thread: its computations block that thread. */
export interface Engine {
  readonly backend: Backend;
  /** For a log: what computes, in which version, and why it was chosen. */
  readonly description: string;
  readonly device: 'cpu' | 'gpu';
  loadEncoder(bundle: EncoderBundle): Promise<Encoder>;
  /** For those who compare: programs do not. */
  loadExactEncoder(bundle: EncoderBundle): Promise<ExactEncoder>;
  loadDecoder(bundle: DecoderBundle): Promise<Decoder>;
  /** Frees what was loaded, too. */
  dispose(): void;
}

export interface Encoder {
  /**
   * How many images to compute at a time, unless told otherwise: measured where more gain nothing
   * on the backend's CPUs, since memory grows with them.
   */
  readonly deviceBatch: number;
  /** How many may be computed at a time: of 8-bit encoders 1, else Infinity. */
  readonly deviceBatchMax: number;
  /** `[H,W]` in pixels. */
  readonly imageSize: readonly [height: number, width: number];
  /** `[L,D]` */
  readonly featuresShape: readonly [locations: number, channels: number];
  /**
   * `pixels [B,H,W,3]` of `count` (B) images, sRGB in 0..255 → features `[B,L,D]` in float16, as
   * they travel. All are computed at once.
   *
   * @throws RangeError when `pixels` is not as long as `count` says.
   */
  encode(pixels: Uint8Array, count: number): Promise<Uint16Array>;
  dispose(): void;
}

/** The same encoder without rounding: pixels may have fractions, and features are in float32. */
export interface ExactEncoder {
  /** @throws RangeError when `pixels` is not as long as `count` says. */
  encode(pixels: Float32Array, count: number): Promise<Float32Array>;
  dispose(): void;
}

export interface Decoder {
  /** As an encoder's. */
  readonly deviceBatch: number;
  readonly vocabulary: Vocabulary;
  /** `[L,D]` */
  readonly featuresShape: readonly [locations: number, channels: number];
  /** Whether steps can return attention. */
  readonly attends: boolean;
  /** Words that it can read at most, the start token counted; Infinity where there is no end. */
  readonly tokensMax: number;
  /**
   * Opens a search over `count` (B) images, with one hypothesis each.
   *
   * @param features `[B,L,D]` in float16, as they travel, or without rounding
   * @throws RangeError when `features` is not as long as `count` says.
   */
  start(features: Uint16Array | Float32Array, count: number): Promise<DecoderSession>;
  dispose(): void;
}

/** A batch of captions in the making; beam search drives it. */
export interface DecoderSession {
  /** One word further, for all hypotheses. */
  step(request: StepRequest): Promise<StepResult>;
  dispose(): void;
}

/** The hypotheses of `images` images, `width` (W) each, image by image: N = images·W rows. */
export interface StepRequest {
  images: number;
  width: number;
  /**
   * Which images of the previous step these are, none before its place there; absent while all
   * stay. The others' memory is dropped.
   */
  stay?: Int32Array;
  /** `[N]`: the last word of each hypothesis. */
  tokens: Int32Array;
  /** `[N]`: the row of the previous step that each continues (at first: the image's number). */
  parents: Int32Array;
  /** `[N]`: sum of the log-probabilities so far; -Infinity for a row that is not used. */
  scores: Float32Array;
  /**
   * `[V]`: 0, or -Infinity for words that are never said (tokens such as `<unk>`). The others'
   * probabilities sum to 1 without them.
   */
  excluded: Float32Array;
  /** `[V]`: 0, or -Infinity for words that may not follow now; they keep their probability. */
  penalties: Float32Array;
  /** How many of the best continuations to return per image; at most W·V. */
  count: number;
  /** Return attention, of decoders that attend. */
  attention: boolean;
}

export interface StepResult {
  /** `[images,count]`: log-probabilities of the best continuations, best first. */
  values: Float32Array;
  /** `[images,count]`: hypothesis·V + word, hypothesis in 0 … W−1; of equals the lower first. */
  indices: Int32Array;
  /** N rows of L weights: where each hypothesis looked for its next word. */
  attention?: Float32Array[];
}
