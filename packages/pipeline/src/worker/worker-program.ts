import { UserError } from '@cutline/shared/errors';
import {
  addSettings,
  Closers,
  createCommand,
  createLogger,
  type Logger,
  MemoryCeiling,
  type MemoryExcess,
  Metrics,
  openHttpPort,
  type QueueName,
  readSettings,
  refuseUnknownVariables,
  runProgram,
  type SettingName,
  type Settings,
  stopProcess,
  storeConfig,
  untilStopped,
} from '@cutline/shared/process';
import { StorePool } from '@cutline/shared/stores';
import type { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { z } from 'zod';
import type { FeatureStore } from '../features/feature-store.ts';
import { RedisFeatures } from '../features/redis-features.ts';
import type { DecodeJob, EncodeJob } from '../jobs.ts';
import { observeQueues } from '../queue/observe-queues.ts';
import {
  closeQueues,
  type JobHandler,
  openQueues,
  type Queues,
  startJobWorker,
} from '../queue/queues.ts';
import { connectRedis, logOutages } from '../redis/redis.ts';
import { trySuspectsAlone } from './try-suspects-alone.ts';

/** Settings of every worker process; a stage has others besides. */
const workerSettings = [
  'redis',
  'featuresRedis',
  's3PathStyle',
  'model',
  'backend',
  'device',
  'threads',
  'deviceBatch',
  'memoryBytesMax',
  'jobConcurrency',
  'jobLockMs',
  'shutdownMs',
  'featureTtlMs',
  'httpPort',
  'httpHost',
  'logLevel',
] as const;

export type WorkerSetting = (typeof workerSettings)[number];

/** What a worker process hands to the part of it that knows its stage. */
export interface WorkerContext<S extends SettingName = WorkerSetting> {
  settings: Settings<WorkerSetting | S>;
  redis: Redis;
  queues: Queues;
  features: FeatureStore;
  stores: StorePool;
  metrics: Metrics;
  log: Logger;
  /** What the stage opens is closed after the last batch in hand is finished. */
  closers: Closers;
  /** Stops the process: something is broken that no retry mends. */
  fail: (error: unknown) => void;
}

/** A stage, ready to take jobs. */
export interface WorkerStage<J> {
  /** Id of the model that is loaded; jobs of another model are refused. */
  model: string;
  handle: JobHandler<J>;
  /** Batches in hand at once, unless the settings say how many. */
  jobConcurrency: number;
  /** Brings the stage's own gauges up to date before a scrape. */
  beforeScrape?: () => void;
  /** Called with the worker before it takes its first job: to hold it back at times. */
  attach?: (worker: Worker) => void;
}

export interface WorkerProgram<J, S extends SettingName> {
  name: string;
  description: string;
  queue: QueueName;
  schema: z.ZodType<J>;
  /** Of this stage alone. */
  settings: readonly S[];
  prepare: (context: WorkerContext<S>) => Promise<WorkerStage<J>>;
}

/** A batch that takes longer than this without an end means that the process hangs. */
const batchMsMax = 15 * 60_000;

/**
 * The life of a worker process, the same for both stages: read the settings, connect, let the
 * stage load its model, serve metrics and health, take jobs until told to stop or memory is above
 * its ceiling, finish what is in hand, close.
 */
export function runWorkerProgram<J extends EncodeJob | DecodeJob, S extends SettingName>(
  program: WorkerProgram<J, S>,
): Promise<void> {
  return runProgram(program.name, async () => {
    refuseUnknownVariables(process.env);
    const command = createCommand(program.name, program.description);
    const names = [...workerSettings, ...program.settings];
    addSettings(command, names).parse();
    const settings = readSettings(command.opts(), names);
    await serve(program, settings);
  });
}

async function serve<J extends EncodeJob | DecodeJob, S extends SettingName>(
  program: WorkerProgram<J, S>,
  settings: Settings<WorkerSetting | S>,
): Promise<void> {
  const { name, queue, schema } = program;
  const log = createLogger({ process: name, level: settings.logLevel });
  const { stopped, fail, recycle } = untilStopped();
  const closers = new Closers();
  const metrics = new Metrics({ processMetrics: true });

  const redis = await connectRedis(settings.redis);
  closers.add('Redis', () => redis.disconnect());
  logOutages(redis, log);
  let featuresRedis = redis;
  if (settings.featuresRedis) {
    const setting = '--features-redis (or FEATURES_REDIS_URL)';
    featuresRedis = await connectRedis(settings.featuresRedis, { setting });
    closers.add('Redis for features', () => featuresRedis.disconnect());
  }
  const features = new RedisFeatures(featuresRedis, { ttlMs: settings.featureTtlMs });
  const queues = openQueues(redis);
  closers.add('queues', () => closeQueues(queues));
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());

  const context = { settings, redis, queues, features, stores, metrics, log, closers, fail };
  const stage = await program.prepare(context);
  const ceiling = watchMemory(settings, recycle);
  closers.add('memory ceiling', () => ceiling?.stop());

  const inHand = new Map<symbol, number>();
  const handle = trySuspectsAlone(stage.handle, { redis, queue });
  const worker = startJobWorker<J>({
    queue,
    redis,
    schema,
    concurrency: settings.jobConcurrency ?? stage.jobConcurrency,
    lockMs: settings.jobLockMs,
    metrics,
    log,
    onUserError: fail,
    handle: async (job, jobContext) => {
      refuseOtherModel(job, stage.model);
      const token = Symbol(job.attempt);
      inHand.set(token, Date.now());
      try {
        await handle(job, jobContext);
      } finally {
        inHand.delete(token);
        ceiling?.look();
      }
    },
  });

  const http = await openHttpPort({
    host: settings.httpHost,
    port: settings.httpPort,
    metrics,
    beforeScrape: async () => {
      stage.beforeScrape?.();
      await observeQueues(metrics, { redis: featuresRedis, queues, features });
    },
    unhealthy: () => {
      const oldest = Math.min(...inHand.values());
      const ms = Date.now() - oldest;
      return ms > batchMsMax
        ? `a batch has been in hand for ${Math.round(ms / 1000)} s`
        : undefined;
    },
    ready: async () => {
      await Promise.all([redis.ping(), featuresRedis.ping(), stores.check()]);
    },
  });
  closers.add('http', () => http.close());
  // Closed before that: while the last batches are finished, whoever asks is still answered.
  closers.add('worker', () => worker.close());
  stage.attach?.(worker);

  worker.run().catch(fail);
  log.info({ httpPort: http.port }, `ready: taking ${queue} jobs`);
  await stopProcess(await stopped, { closers, deadlineMs: settings.shutdownMs, log });
}

/** From when the model is loaded: then most of what a worker takes is taken. */
function watchMemory(
  { memoryBytesMax }: Settings<'memoryBytesMax'>,
  onExcess: (excess: MemoryExcess) => void,
): MemoryCeiling | undefined {
  if (memoryBytesMax === undefined) return undefined;
  const ceiling = new MemoryCeiling({ memoryBytesMax, onExcess });
  ceiling.start();
  return ceiling;
}

function refuseOtherModel(job: EncodeJob | DecodeJob, loaded: string): void {
  if (job.model === loaded) return;
  throw new UserError(
    `Run "${job.run}" wants model ${job.model}, but this worker has loaded ${loaded}. ` +
      'Start its workers with the bundle of the run (--model); its batches stay in the queue.',
  );
}
