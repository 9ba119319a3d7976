/** What the page and its server say to each other, as JSON. The server parses it by requests.ts. */

export type Order = 'least-certain' | 'random' | 'listing' | 'most-certain';
export type DecisionKind = 'accepted' | 'corrected' | 'rejected';
/** `open`: nobody has judged it. */
export type ReviewState = 'open' | 'reviewed' | DecisionKind | 'any';

/** Which images, and in which order. */
export interface Query {
  order: Order;
  state: ReviewState;
  /** `captioned`, `failed`, `failed:<class>` or `warning:<what>`. */
  kind: string;
  scoreMin: number | null;
  scoreMax: number | null;
  /** Words of the caption or the key, in any order; empty: all. */
  search: string;
}

/** Once, at the start. */
export interface Opening {
  run: string;
  model: string;
  who: string;
  /** Kinds that there are, with how many images each. */
  kinds: { kind: string; images: number }[];
  /** Where images were drawn by chance: there is nothing to choose then. */
  isDraw: boolean;
  progress: Progress;
}

export interface Progress extends Record<DecisionKind, number> {
  /** All that can be judged. */
  images: number;
  estimate?: { drawn: number; judged: number; accepted: number; low?: number; high?: number };
}

/** A list of images that stays as it is, whatever is decided meanwhile. */
export interface Selected {
  list: number;
  images: number;
  /** Where to begin: the first one that nobody has judged. */
  first: number;
}

export interface Review {
  id: string;
  decision: DecisionKind;
  caption: string | null;
  who: string;
  at: string;
  isMine: boolean;
}

export interface Item {
  /** Names the image in requests. */
  n: number;
  key: string;
  /** null where the model has none. */
  caption: string | null;
  score: number | null;
  /** Besides the caption. */
  candidates: { caption: string; score: number | null }[];
  /** Warnings; or why there is no caption. */
  notes: string[];
  /** In pixels, where it is known. */
  width: number | null;
  height: number | null;
  review: Review | null;
}

export interface Decide {
  /** UUID; the same decision may be sent again. */
  id: string;
  n: number;
  decision: DecisionKind;
  /** Of a correction. */
  caption?: string | undefined;
  /** The id of the review that was on the screen. */
  seen: string | null;
}

export interface Undo {
  id: string;
  /** The id of a decision. */
  undoes: string;
}

/** What counts of the image now; with `isStored` false, somebody had decided it meanwhile. */
export interface Decided {
  isStored: boolean;
  review: Review | null;
  progress: Progress;
}
