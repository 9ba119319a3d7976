import os from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { describeError, UserError } from '@cutline/shared/errors';
import type {
  BackendChoice,
  DeviceBatches,
  DeviceChoice,
  Stage,
  Stages,
  ThreadReady,
} from './inference-messages.ts';
import { InferencePool } from './inference-pool.ts';
import { rehearse } from './rehearse.ts';
import { ThreadHandle } from './thread-handle.ts';
import { type Tuning, tuneDeviceBatch } from './tune-device-batch.ts';

/** Starts a pool: threads, the model in each, and whatever makes the first batch a quick one. */
export interface InferenceOptions {
  bundleFolder: string;
  stages: Stages;
  /** `auto` takes the best backend that loads. */
  backend: BackendChoice;
  /** `auto`, the default, takes a GPU where the backend finds one. */
  device?: DeviceChoice;
  /** Cores to compute on; default: all. */
  threads?: number;
  /**
   * Images that a thread computes at a time; `auto` measures which number is best. By default it is
   * the backend's own, but measured on a GPU where there is a warm-up.
   */
  deviceBatch?: number | 'auto' | undefined;
  /** For programs that run for long: every thread has computed before the pool is handed out. */
  warmUp?: boolean;
  /** Resident memory that the process is to stay below, where `auto` decides. */
  memoryBytesMax?: number | undefined;
}

/**
 * How much a heap may take in, beside what it holds, before all of that is marked; in percent.
 * Heaps here are small, and V8 counts the pixels and tensors that pass through: by its own estimate
 * it marks everything ten times a second, on the cores that are to compute (record 11). It is read
 * at every collection, and is for all heaps of the process.
 */
const heapGrowingPercent = 400;

/** On the way out of the process, for the computations in hand: a batch takes a second or two. */
const exitTimeoutMs = 10_000;

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
  setFlagsFromString(`--heap-growing-percent=${heapGrowingPercent}`);

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
  const start = async (backend: BackendChoice, device: DeviceChoice) => {
    const thread = new ThreadHandle({ bundleFolder, stages, backend, device, cores }, fail);
    threads.push(thread);
    return thread.ready();
  };
  try {
    // The first one finds out which backend it is, and with it how many threads it takes.
    const first = await start(options.backend, options.device ?? 'auto');
    const { model, backend, device } = first;
    const threadCount = threadsFor(first, cores);
    const reason = threadCount > 1 ? `${threadCount} × ${first.reason}` : first.reason;
    const others = await Promise.all(
      Array.from({ length: threadCount - 1 }, () => start(backend, device)),
    );
    const other = others.find(({ model: { id } }) => id !== model.id);
    if (other)
      throw new Error(`the bundle changed during the start: ${model.id}, ${other.model.id}`);
    const prepared = await prepare(threads, first, options);
    return new InferencePool({ model, backend, reason, threads, close, failed, ...prepared });
  } catch (error) {
    await close();
    throw error;
  }
}

/** TensorFlow and GPUs are one to a process; engines that keep to their thread are one a core. */
function threadsFor({ backend, device }: ThreadReady, cores: number): number {
  return backend === 'tensorflow' || device === 'gpu' ? 1 : cores;
}

/** Settles how many images are computed at a time, and warms the threads up where that is wanted. */
async function prepare(
  threads: readonly ThreadHandle[],
  { model, backend, device, deviceBatches: own }: ThreadReady,
  { deviceBatch, warmUp = false, memoryBytesMax }: InferenceOptions,
): Promise<{ deviceBatches: DeviceBatches; tunings: ReadonlyMap<Stage, Tuning> }> {
  const tunes = deviceBatch === 'auto' || (deviceBatch === undefined && warmUp && device === 'gpu');
  const deviceBatches: DeviceBatches = {};
  const tunings = new Map<Stage, Tuning>();
  try {
    for (const [stage, initial] of Object.entries(own) as [Stage, number][]) {
      let images = typeof deviceBatch === 'number' ? deviceBatch : initial;
      if (tunes) {
        const thread = threads[0] as ThreadHandle;
        const compute = (count: number) => rehearse(thread, { stage, model, images: count });
        const memory = () => memoryWithin(memoryBytesMax);
        const tuning = await tuneDeviceBatch({ compute, memory, nowMs: () => performance.now() });
        tunings.set(stage, tuning);
        images = tuning.deviceBatch;
      }
      deviceBatches[stage] = images;
      if (warmUp)
        await Promise.all(threads.map((each) => rehearse(each, { stage, model, images })));
    }
  } catch (cause) {
    throw new UserError(
      `The model was loaded, but the backend "${backend}" cannot compute it ` +
        `(${describeError(cause)}): choose another (--backend).`,
      { cause },
    );
  }
  return { deviceBatches, tunings };
}

/** What this process takes, and what it may: by the machine's or container's limits, or by ours. */
function memoryWithin(memoryBytesMax = Number.POSITIVE_INFINITY) {
  const usedBytes = process.memoryUsage.rss();
  const limitBytes = Math.min(memoryBytesMax, usedBytes + process.availableMemory());
  return { usedBytes, limitBytes };
}
