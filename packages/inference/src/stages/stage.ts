import type { SkipReason } from '@cutline/shared/errors';
import type {
  CaptionedRow,
  CaptionOptions,
  Failure,
  FeatureType,
  ImageRef,
  Usage,
} from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';

/**
 * The two stages, whatever computes them: weights in threads of this process, or a server. Workers
 * and `cutline caption` know stages, and nothing of what is behind them.
 */

export interface EncodeStage {
  /** Id of the model. */
  model: string;
  /**
   * Images in a store to features. A batch never fails for one of its images; each has an outcome
   * of its own.
   * @param featureType how features are to be written (default: float16); answers are what they are
   * @throws UserError when a store or a server is misconfigured; anything else thrown is a bug
   */
  encode(
    images: readonly ImageRef[],
    store: ObjectStore,
    featureType?: FeatureType,
  ): Promise<EncodedImages>;
  /** Encodes a made-up image: it rejects where what computes is broken. */
  prove(): Promise<unknown>;
  /**
   * Awaited before a batch is taken: rejects where it would be in vain now.
   * @throws what is transient, where it may be worth it later; UserError
   */
  requireReady?(): Promise<void>;
  busy(): Busy;
}

export interface DecodeStage {
  /** Id of the model. */
  model: string;
  /** Batches that are worth being in hand at once. */
  jobConcurrency: number;
  /** @returns one entry an image, in order */
  decode(features: Features, options: CaptionOptions): Promise<CaptionOutcome[]>;
  /** Decodes made-up features: it rejects where what computes is broken. */
  prove(): Promise<unknown>;
  busy(): Busy;
}

/** How much a stage had to do since it was started. */
export interface Busy {
  /** Summed over what computes: threads, or questions to a server. */
  seconds: number;
  /** How many there are: as many seconds a second, at most. */
  threads: number;
}

export type EncodeOutcome =
  /**
   * `etag` is the fetched object's; `width` and `height` are its pixels as seen upright; `warnings`
   * are for its row.
   */
  | { status: 'encoded'; etag: string; width: number; height: number; warnings?: string[] }
  | { status: 'failed'; failure: Failure }
  /** It is no image, and its name does not say that it should be one. */
  | { status: 'skipped'; reason: SkipReason }
  /** Its store or its server was unavailable, at every try: worth another, later. */
  | { status: 'deferred'; message: string };

export interface EncodedImages {
  /** One an image, in order. */
  outcomes: EncodeOutcome[];
  /** Of the n images that are `encoded`, in order; undefined where there are none. */
  features: Features | undefined;
}

/** What travels from the encode stage to the decode stage. */
export type Features =
  | ImageFeatures
  /** [n]: what a server said of each image, as JSON. */
  | { dtype: 'answers'; shape: [images: number]; payload: Uint8Array };

/** [n, L, D], an image after the other, row-major, as feature-types.ts of the captioner says. */
export interface ImageFeatures {
  dtype: FeatureType;
  shape: [images: number, locations: number, channels: number];
  payload: Uint8Array;
}

/** What the decode stage found for one image. */
export type CaptionOutcome = Captions | { failure: Failure; usage?: Usage };

export type Captions = Omit<CaptionedRow, 'key' | 'etag' | 'status' | 'width' | 'height' | 'model'>;
