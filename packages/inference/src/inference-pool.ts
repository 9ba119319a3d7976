import type { Backend, CaptionOptions, FeatureType } from '@cutline/captioner';
import { divideBatch, featureBytes } from '@cutline/captioner';
import pLimit, { type LimitFunction } from 'p-limit';
import type {
  DecodeRequest,
  DeviceBatches,
  EncodeRequest,
  ImageCaptions,
  Stage,
} from './inference-messages.ts';
import type { ModelSummary } from './load-bundle.ts';
import type { Busy } from './stages/stage.ts';
import type { ThreadHandle } from './thread-handle.ts';
import type { Tuning } from './tune-device-batch.ts';

/**
 * Inference beside the event loop. A pool holds threads that have loaded the same model, divides
 * batches over them, and puts the results together in order. What comes out for an image does not
 * depend on the images it came with.
 */

interface StartedThreads {
  model: ModelSummary;
  backend: Backend;
  reason: string;
  threads: readonly ThreadHandle[];
  /** Ends them. */
  close: () => Promise<void>;
  failed: Promise<never>;
  deviceBatches: DeviceBatches;
  tunings: ReadonlyMap<Stage, Tuning>;
}

/** Made by `startInference`. */
export class InferencePool {
  readonly model: ModelSummary;
  readonly backend: Backend;
  /** For the log: what computes, in which version, and why it was chosen. */
  readonly backendReason: string;
  /**
   * Rejects when a thread died: the process should end, loudly. Never resolves. All calls reject
   * with the same error, then.
   */
  readonly failed: Promise<never>;

  readonly threadCount: number;
  /** Images that a thread computes at a time. */
  readonly deviceBatches: DeviceBatches;
  /** How they were found, of stages where they were measured. */
  readonly tunings: ReadonlyMap<Stage, Tuning>;

  readonly #threads: readonly ThreadHandle[];
  readonly #close: () => Promise<void>;
  readonly #idle: ThreadHandle[];
  /** Lets through as many requests as there are threads; the others wait in order. */
  readonly #turn: LimitFunction;
  /** Why requests are refused. */
  #ended: Error | undefined;

  constructor(started: StartedThreads) {
    const { model, backend, reason, threads, close, failed } = started;
    this.model = model;
    this.backend = backend;
    this.backendReason = reason;
    this.failed = failed;
    this.deviceBatches = started.deviceBatches;
    this.tunings = started.tunings;
    this.threadCount = threads.length;
    this.#threads = threads;
    this.#close = close;
    this.#idle = [...threads];
    this.#turn = pLimit(threads.length);
    failed.catch((error: Error) => {
      this.#ended ??= error;
    });
  }

  /**
   * Images to features.
   * @param pixels [count, H, W, 3] sRGB, of the size that `model.preprocessing` says; not changed
   * @returns [count, L, D], as feature-types.ts of the captioner says
   */
  async encode(
    pixels: Uint8Array,
    count: number,
    featureType: FeatureType = 'float16',
  ): Promise<Uint8Array> {
    const { width, height } = this.model.preprocessing;
    const imageBytes = height * width * 3;
    const bytesEach = this.#featureBytes(featureType);
    requireLength(pixels, count * imageBytes, `${count} images of ${width}×${height} pixels`);
    const features = new Uint8Array(count * bytesEach);
    const { encode: deviceBatch = 1 } = this.deviceBatches;
    await this.#divide(count, deviceBatch, async (first, size) => {
      const part = copyOf(pixels, first * imageBytes, (first + size) * imageBytes);
      const encoding = { count: size, deviceBatch, featureType };
      const request: EncodeRequest = { task: 'encode', pixels: part, ...encoding };
      const reply = await this.#run(request, part.buffer);
      if (reply.state !== 'encoded') throw new Error(`expected features, got "${reply.state}"`);
      features.set(reply.features, first * bytesEach);
    });
    return features;
  }

  /**
   * Features to captions, by beam search.
   * @param features [count, L, D] of that type; not changed
   * @returns one entry an image; numbers are rounded to 4 decimals
   */
  async decode(
    features: Uint8Array,
    count: number,
    options: CaptionOptions,
    featureType: FeatureType = 'float16',
  ): Promise<ImageCaptions[]> {
    const { locations, channels } = this.model.features;
    const imageBytes = this.#featureBytes(featureType);
    requireLength(features, count * imageBytes, `features [${count},${locations},${channels}]`);
    const captions = new Array<ImageCaptions>(count);
    const { decode: deviceBatch = 1 } = this.deviceBatches;
    await this.#divide(count, deviceBatch, async (first, size) => {
      const part = copyOf(features, first * imageBytes, (first + size) * imageBytes);
      const decoding = { count: size, deviceBatch, options, featureType };
      const request: DecodeRequest = { task: 'decode', features: part, ...decoding };
      const reply = await this.#run(request, part.buffer);
      if (reply.state !== 'decoded') throw new Error(`expected captions, got "${reply.state}"`);
      for (const [i, caption] of reply.captions.entries()) captions[first + i] = caption;
    });
    return captions;
  }

  /** Of an image. */
  #featureBytes(type: FeatureType): number {
    const { locations, channels } = this.model.features;
    return featureBytes(type, [locations, channels]);
  }

  busy(): Busy {
    const busyMs = this.#threads.reduce((sum, thread) => sum + thread.busyMs, 0);
    return { seconds: busyMs / 1000, threads: this.threadCount };
  }

  /** Ends the threads after what they have in hand; requests that still wait are refused. */
  async close(): Promise<void> {
    this.#ended ??= new Error('The inference pool is closed');
    await this.#close();
  }

  /**
   * Calls `work` for pieces of the batch, each in its turn: one for every thread, but none smaller
   * than a device batch, which takes almost as long, unless a thread would be idle.
   */
  async #divide(
    count: number,
    deviceBatch: number,
    work: (first: number, size: number) => Promise<void>,
  ) {
    const idle = this.threadCount - this.#turn.activeCount - this.#turn.pendingCount;
    const whole = Math.min(Math.floor(count / deviceBatch), this.threadCount);
    const pieces = divideBatch(count, Math.min(Math.max(whole, idle, 1), count));
    await Promise.all(pieces.map(([first, end]) => this.#turn(() => work(first, end - first))));
  }

  /** On an idle thread: there is one whenever it is a request's turn. */
  async #run(request: EncodeRequest | DecodeRequest, buffer: ArrayBuffer) {
    if (this.#ended) throw this.#ended;
    const thread = this.#idle.pop();
    if (!thread) throw new Error('expected an idle inference thread');
    try {
      return await thread.run(request, [buffer]);
    } finally {
      this.#idle.push(thread);
    }
  }
}

function requireLength(bytes: Uint8Array, expected: number, what: string): void {
  if (bytes.length !== expected) {
    throw new RangeError(`${what} take ${expected} bytes, got ${bytes.length}`);
  }
}

/** In a buffer of its own, which can be transferred; `slice` of a Node.js Buffer would share it. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(start, end));
}
