import { crash, type WorkerContext } from '@cutline/shared';
import { type InferencePool, startInference } from './inference-pool.ts';
import { defaultBundleFolder } from './load-bundle.ts';

/**
 * Loads one stage's half of the model for a worker process, and says what was loaded, in the log
 * and in the metrics.
 *
 * An inference thread that dies takes the process with it: its batches go, when their locks
 * expire, to another worker, which finds the image that does it.
 */
export async function startStage(
  stage: 'encode' | 'decode',
  { settings, metrics, log, closers }: WorkerContext,
): Promise<InferencePool> {
  const pool = await startInference({
    bundleFolder: settings.model ?? defaultBundleFolder(),
    stages: { encode: stage === 'encode', decode: stage === 'decode' },
    backend: settings.backend,
    threads: settings.threads,
  });
  closers.add('inference', () => pool.close());
  pool.failed.catch((error) => crash(error, log));
  const { backend, backendReason, model } = pool;
  metrics.backendInfo.set({ stage, backend, model: model.id }, 1);
  log.info({ model: model.id, backend, reason: backendReason }, 'model loaded');
  return pool;
}
