import type { Backend, CaptionOptions, Engine } from '@cutline/captioner';
import type { Candidate } from '@cutline/shared/run';
import type { ModelSummary } from './load-bundle.ts';

/**
 * What the main thread and an inference thread say to each other. A thread has one request in hand
 * at most; each gets one reply. Arrays of bytes are transferred, not copied.
 */

export type BackendChoice = Backend | 'auto';
export type DeviceChoice = 'cpu' | 'gpu' | 'auto';

/** Which halves of the model to load. */
export interface Stages {
  encode: boolean;
  decode: boolean;
}

export type Stage = keyof Stages;

/** Images computed at a time, by each half that is loaded. */
export type DeviceBatches = Partial<Record<Stage, number>>;

/** Handed over when the thread starts; the reply is `ready` or `refused`. */
export interface ThreadSetup {
  bundleFolder: string;
  stages: Stages;
  backend: BackendChoice;
  device: DeviceChoice;
  /** That a backend with threads of its own may use. */
  cores: number;
  /** Of the thread's `ComputeGate`. */
  gate: SharedArrayBuffer;
}

/** Once a thread is `ready`. `close` has no reply: the thread ends. */
export type ThreadRequest = EncodeRequest | DecodeRequest | { task: 'close' };

export interface EncodeRequest {
  task: 'encode';
  /** [count, H, W, 3] */
  pixels: Uint8Array<ArrayBuffer>;
  count: number;
  /** Images to compute at a time. */
  deviceBatch: number;
}

export interface DecodeRequest {
  task: 'decode';
  /** [count, L, D] float16 */
  features: Uint8Array<ArrayBuffer>;
  count: number;
  /** Images to compute at a time. */
  deviceBatch: number;
  options: CaptionOptions;
}

export type ThreadReply =
  | ThreadReady
  /** The thread cannot start, and `message` says what a person can do. */
  | { state: 'refused'; message: string }
  | { state: 'encoded'; features: Uint8Array<ArrayBuffer> }
  | { state: 'decoded'; captions: ImageCaptions[] }
  /** The request failed; the thread is well. Text, since not every error survives the way. */
  | { state: 'threw'; message: string; stack: string | undefined };

export interface ThreadReady {
  state: 'ready';
  model: ModelSummary;
  backend: Backend;
  device: Engine['device'];
  /** What computes, in which version, and why it was chosen. */
  reason: string;
  /** The backend's own. */
  deviceBatches: DeviceBatches;
}

/** What a captioned row says about an image's caption; of weights, all numbers are known. */
export interface ImageCaptions extends Scored {
  /** The n best, best first. */
  candidates: Scored[];
  /** On request: L weights a word. */
  attention?: number[][];
}

interface Scored extends Candidate {
  logProb: number;
  score: number;
}
