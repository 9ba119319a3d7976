import {
  checkServer,
  type DecodeStage,
  defaultBundleFolder,
  describeTuning,
  type EncodeStage,
  type InferencePool,
  localDecodeStage,
  localEncodeStage,
  openServer,
  type ServedModel,
  servedDecodeStage,
  servedEncodeStage,
  startInference,
} from '@cutline/inference';
import { crash } from '@cutline/shared/process';
import { patiently } from '../patience.ts';
import type { WorkerContext } from './worker-program.ts';

/** What an encoder needs besides what every worker needs. */
export const encodeSettings = [
  'fetchConcurrency',
  'fetchAttempts',
  'retryBaseMs',
  'imageBytesMax',
  'imagePixelsMax',
  'decodeTimeoutMs',
  'serverUrl',
  'serverConcurrency',
  'serverTimeoutMs',
] as const;

type EncodeSetting = (typeof encodeSettings)[number];

type EncodeContext = WorkerContext & Pick<WorkerContext<EncodeSetting>, 'settings'>;

/** The encode stage of the worker's model, ready to compute. */
export async function startEncodeStage(context: EncodeContext): Promise<EncodeStage> {
  const { settings: limits, metrics, model } = context;
  if (model.kind === 'served') return reachServer(model, context);
  return localEncodeStage(await loadModel('encode', context), { limits, metrics });
}

/** The decode stage of the worker's model, ready to compute. */
export async function startDecodeStage(context: WorkerContext): Promise<DecodeStage> {
  const { model } = context;
  if (model.kind === 'served') return servedDecodeStage(model);
  return localDecodeStage(await loadModel('decode', context), context);
}

/** Waits for the server, which may take minutes to load its model. */
async function reachServer(model: ServedModel, context: EncodeContext): Promise<EncodeStage> {
  const { settings, metrics, log, world } = context;
  const { serverUrl: url, serverTimeoutMs: timeoutMs, serverConcurrency: concurrency } = settings;
  const server = openServer(model.description, { url, timeoutMs });
  await patiently('the model’s server', () => checkServer(server, model), { world, log });
  metrics.backendInfo.set(
    { stage: 'encode', backend: 'server', reason: model.description.server.model, model: model.id },
    1,
  );
  log.info({ model: model.id, concurrency }, 'the model’s server answers');
  return servedEncodeStage(model, server, { limits: settings, metrics, concurrency });
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
