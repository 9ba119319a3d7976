import {
  type DecodeStage,
  defaultBundleFolder,
  describeTuning,
  type EncodeStage,
  type InferencePool,
  localDecodeStage,
  localEncodeStage,
  startInference,
} from '@cutline/inference';
import { crash } from '@cutline/shared/process';
import type { WorkerContext } from './worker-program.ts';

/** What an encoder needs besides what every worker needs. */
export const encodeSettings = [
  'fetchConcurrency',
  'fetchAttempts',
  'retryBaseMs',
  'imageBytesMax',
  'imagePixelsMax',
  'decodeTimeoutMs',
] as const;

type EncodeSetting = (typeof encodeSettings)[number];

/** The encode stage of the worker's model, ready to compute. */
export async function startEncodeStage(
  context: WorkerContext & Pick<WorkerContext<EncodeSetting>, 'settings'>,
): Promise<EncodeStage> {
  const { settings: limits, metrics } = context;
  return localEncodeStage(await loadModel('encode', context), { limits, metrics });
}

/** The decode stage of the worker's model, ready to compute. */
export async function startDecodeStage(context: WorkerContext): Promise<DecodeStage> {
  return localDecodeStage(await loadModel('decode', context), context);
}

/**
 * Loads one stage's half of the model for a worker process, has it compute once, and says what was
 * loaded, in the log and in the metrics.
 *
 * An inference thread that dies takes the process with it: its batches go, when their locks
 * expire, to another worker, which finds the image that does it.
 */
async function loadModel(
  stage: 'encode' | 'decode',
  { settings, metrics, log, closers }: WorkerContext,
): Promise<InferencePool> {
  const pool = await startInference({
    bundleFolder: settings.model ?? defaultBundleFolder(),
    stages: { encode: stage === 'encode', decode: stage === 'decode' },
    backend: settings.backend,
    device: settings.device,
    threads: settings.threads,
    deviceBatch: settings.deviceBatch,
    warmUp: true,
    memoryBytesMax: settings.memoryBytesMax,
  });
  closers.add('inference', () => pool.close());
  pool.failed.catch((error) => crash(error, log));
  const { backend, backendReason, model } = pool;
  metrics.backendInfo.set({ stage, backend, reason: backendReason, model: model.id }, 1);
  const tuning = pool.tunings.get(stage);
  if (tuning) log.info(tuning, describeTuning(tuning));
  const deviceBatch = pool.deviceBatches[stage];
  log.info({ model: model.id, backend, deviceBatch, reason: backendReason }, 'model loaded');
  return pool;
}
