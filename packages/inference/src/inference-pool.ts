import os from 'node:os';
import type { Backend, CaptionOptions } from '@cutline/captioner';
import pLimit, { type LimitFunction } from 'p-limit';
import type {
  BackendChoice,
  DecodeRequest,
  EncodeRequest,
  ImageCaptions,
  Stages,
} from './inference-messages.ts';
import type { ModelSummary } from './load-bundle.ts';
import { ThreadHandle } from './thread-handle.ts';

/**
 * Inference beside the event loop. A pool holds threads that have loaded the same model, divides a
 * batch over them, and puts the results together in order. What comes out for an image does not
 * depend on the images it came with.
 */

export interface InferenceOptions {
  bundleFolder: string;
  stages: Stages;
  /** `auto` takes the best backend that loads. */
  backend: BackendChoice;
  /** Cores to compute on, of `onnx` and `wasm`; default: all. */
  threads?: number;
  /** Images that a thread computes at once, at most; default: 16 for `wasm`, otherwise 32. */
  deviceBatch?: number;
}

/** Backends that leave it to us to use more than one core. */
const singleThreadedBackends: ReadonlySet<Backend> = new Set(['wasm']);

/**
 * One thread is at its best from 16 images on: `wasm` takes 30, 25, 24, 25 ms of processor time to
 * encode one of 1, 8, 16, 32 images at once, and 60, 37, 31, 32 ms to decode it. Backends that
 * spread a batch over cores or a GPU by themselves want more: `onnx` takes 18, 5.6, 4.6, 4.2, 4.1 ms
 * to decode one of 1, 8, 16, 32, 64 images at once.
 */
function defaultDeviceBatch(backend: Backend): number {
  return singleThreadedBackends.has(backend) ? 16 : 32;
}

/** On the way out of the process, for the computations in hand. A batch takes a second at most. */
const exitTimeoutMs = 5000;

/**
 * Loads the model into as many threads as the backend wants.
 * @throws UserError, one line, where the bundle or the backend cannot be used
 */
export async function startInference(options: InferenceOptions): Promise<InferencePool> {
  const { bundleFolder, stages, threads: cores = os.availableParallelism() } = options;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {}); // whoever does not ask learns of it from the next call

  const threads: ThreadHandle[] = [];
  const onExit = () => {
    for (const thread of threads) thread.stopComputing();
    for (const thread of threads) thread.waitUntilIdle(exitTimeoutMs);
  };
  process.once('exit', onExit);
  const close = async () => {
    await Promise.all(threads.map((thread) => thread.close()));
    process.off('exit', onExit);
  };
  const start = async (backend: BackendChoice) => {
    const thread = new ThreadHandle({ bundleFolder, stages, backend, cores }, fail);
    threads.push(thread);
    return thread.ready();
  };
  try {
    // The first one finds out which backend it is, and with it how many threads it takes.
    const { model, backend, reason } = await start(options.backend);
    const threadCount = singleThreadedBackends.has(backend) ? cores : 1;
    const others = await Promise.all(Array.from({ length: threadCount - 1 }, () => start(backend)));
    const other = others.find(({ model: { id } }) => id !== model.id);
    if (other)
      throw new Error(`the bundle changed during the start: ${model.id}, ${other.model.id}`);
    const deviceBatch = options.deviceBatch ?? defaultDeviceBatch(backend);
    return new InferencePool({ model, backend, reason, threads, close, failed, deviceBatch });
  } catch (error) {
    await close();
    throw error;
  }
}

interface StartedThreads {
  model: ModelSummary;
  backend: Backend;
  reason: string;
  threads: readonly ThreadHandle[];
  /** Ends them. */
  close: () => Promise<void>;
  failed: Promise<never>;
  deviceBatch: number;
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

  readonly #threads: readonly ThreadHandle[];
  readonly #close: () => Promise<void>;
  readonly #idle: ThreadHandle[];
  readonly #deviceBatch: number;
  /** Lets through as many requests as there are threads; the others wait in order. */
  readonly #turn: LimitFunction;
  /** Why requests are refused. */
  #ended: Error | undefined;
  #lastAsked: { atMs: number; busyMs: number };

  constructor(started: StartedThreads) {
    const { model, backend, reason, threads, close, failed, deviceBatch } = started;
    this.model = model;
    this.backend = backend;
    this.backendReason = reason;
    this.failed = failed;
    this.#threads = threads;
    this.#close = close;
    this.#idle = [...threads];
    this.#deviceBatch = deviceBatch;
    this.#turn = pLimit(threads.length);
    this.#lastAsked = this.#busyTime();
    failed.catch((error: Error) => {
      this.#ended ??= error;
    });
  }

  /**
   * Images to features.
   * @param pixels [count, H, W, 3] sRGB, of the size that `model.preprocessing` says; not changed
   * @returns [count, L, D] float16, little-endian bytes
   */
  async encode(pixels: Uint8Array, count: number): Promise<Uint8Array> {
    const { width, height } = this.model.preprocessing;
    const { locations, channels } = this.model.features;
    const imageBytes = height * width * 3;
    const featureBytes = locations * channels * 2;
    requireLength(pixels, count * imageBytes, `${count} images of ${width}×${height} pixels`);
    const features = new Uint8Array(count * featureBytes);
    await this.#divide(count, async (first, size) => {
      const part = copyOf(pixels, first * imageBytes, (first + size) * imageBytes);
      const reply = await this.#run({ task: 'encode', pixels: part, count: size }, part.buffer);
      if (reply.state !== 'encoded') throw new Error(`expected features, got "${reply.state}"`);
      features.set(reply.features, first * featureBytes);
    });
    return features;
  }

  /**
   * Features to captions, by beam search.
   * @param features [count, L, D] float16, little-endian bytes; not changed
   * @returns one entry an image; numbers are rounded to 4 decimals
   */
  async decode(
    features: Uint8Array,
    count: number,
    options: CaptionOptions,
  ): Promise<ImageCaptions[]> {
    const { locations, channels } = this.model.features;
    const imageBytes = locations * channels * 2;
    requireLength(features, count * imageBytes, `features [${count},${locations},${channels}]`);
    const captions = new Array<ImageCaptions>(count);
    await this.#divide(count, async (first, size) => {
      const part = copyOf(features, first * imageBytes, (first + size) * imageBytes);
      const request: DecodeRequest = { task: 'decode', features: part, count: size, options };
      const reply = await this.#run(request, part.buffer);
      if (reply.state !== 'decoded') throw new Error(`expected captions, got "${reply.state}"`);
      for (const [i, caption] of reply.captions.entries()) captions[first + i] = caption;
    });
    return captions;
  }

  /** Share of the time since the last call (at first: the start) that threads computed, 0 to 1. */
  busyRatio(): number {
    const last = this.#lastAsked;
    const now = this.#busyTime();
    this.#lastAsked = now;
    const elapsedMs = (now.atMs - last.atMs) * this.#threads.length;
    return elapsedMs > 0 ? Math.min((now.busyMs - last.busyMs) / elapsedMs, 1) : 0;
  }

  /** Ends the threads after what they have in hand; requests that still wait are refused. */
  async close(): Promise<void> {
    this.#ended ??= new Error('The inference pool is closed');
    await this.#close();
  }

  /**
   * Calls `work` for consecutive pieces of a batch, each in its turn. Pieces are equal but for one
   * image, no larger than the device batch, and a multiple of the threads in number, so that no
   * thread is left with nothing to do while another has a piece too many.
   */
  async #divide(count: number, work: (first: number, size: number) => Promise<void>) {
    const threadCount = this.#threads.length;
    const rounds = Math.ceil(count / (threadCount * this.#deviceBatch));
    const pieces = Math.min(count, rounds * threadCount);
    const boundary = (piece: number) => Math.floor((piece * count) / pieces);
    await Promise.all(
      Array.from({ length: pieces }, (_, piece) => {
        const [first, end] = [boundary(piece), boundary(piece + 1)];
        return this.#turn(() => work(first, end - first));
      }),
    );
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

  #busyTime() {
    const busyMs = this.#threads.reduce((sum, thread) => sum + thread.busyMs, 0);
    return { atMs: performance.now(), busyMs };
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
