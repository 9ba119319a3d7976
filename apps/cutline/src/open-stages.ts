import {
  type AnyModel,
  checkServer,
  type EncodeLimits,
  openServer,
  type ServedModel,
  ServerError,
  servedDecodeStage,
  servedEncodeStage,
  startInference,
} from '@cutline/inference';
import { type LocalPipeline, stagesOf } from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import type { Closers, Metrics, Settings } from '@cutline/shared/process';

/** What `openStages` reads of the settings. */
export const stageSettings = [
  'model',
  'backend',
  'device',
  'threads',
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

type StageSettings = Settings<(typeof stageSettings)[number]>;

interface StageContext {
  settings: StageSettings & EncodeLimits;
  metrics: Metrics;
  closers: Closers;
  /** As workers do at their start, who measure there how many images a GPU takes at a time. */
  warmUp?: boolean;
}

/** Both stages of a model in this process; the closers end them. @throws UserError */
export async function openStages(
  model: AnyModel,
  bundleFolder: string,
  context: StageContext,
): Promise<Pick<LocalPipeline, 'encodeStage' | 'decodeStage' | 'batchSize'>> {
  const { settings, metrics, closers, warmUp = false } = context;
  if (model.kind === 'served') return reachServer(model, context);
  const pool = await startInference({
    bundleFolder,
    stages: { encode: true, decode: true },
    backend: settings.backend,
    device: settings.device,
    threads: settings.threads,
    warmUp,
  });
  closers.add('inference', () => pool.close());
  return stagesOf(pool, { limits: settings, metrics });
}

async function reachServer(model: ServedModel, { settings, metrics }: StageContext) {
  const { serverUrl, serverConcurrency: concurrency, serverTimeoutMs: timeoutMs } = settings;
  const server = openServer(model.description, { url: serverUrl, timeoutMs });
  try {
    await checkServer(server, model);
  } catch (cause) {
    if (!(cause instanceof ServerError)) throw cause;
    const { url } = model.description.server;
    throw new UserError(
      `The model ${model.description.name} is behind ${serverUrl ?? url}, and ${cause.message}: start ` +
        'it, or say where it is (--server-url).',
      { cause },
    );
  }
  return {
    encodeStage: servedEncodeStage(model, server, { limits: settings, metrics, concurrency }),
    decodeStage: servedDecodeStage(model),
    batchSize: 2 * concurrency,
  };
}
