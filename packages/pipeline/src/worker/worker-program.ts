import { type AnyModel, defaultBundleFolder, describeModel } from '@cutline/inference';
import {
  addSettings,
  Closers,
  createCommand,
  createLogger,
  type Logger,
  MemoryCeiling,
  Metrics,
  noTracing,
  openHttpPort,
  openTracing,
  type QueueName,
  readSettings,
  refuseUnknownVariables,
  runService,
  type SettingName,
  type Settings,
  type Stop,
  SystemdNotifier,
  stopProcess,
  storeConfig,
  type Tracing,
  untilStopped,
} from '@cutline/shared/process';
import { StorePool } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import type { z } from 'zod';
import { RedisBoard } from '../board/redis-board.ts';
import type { RunBoard } from '../board/run-board.ts';
import { WorkerRegister } from '../board/worker-register.ts';
import { FeatureBooks } from '../features/feature-books.ts';
import { type FeatureStore, redisHome } from '../features/feature-store.ts';
import type { DecodeJob, EncodeJob } from '../jobs.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import { closeQueues, openQueues, type Queues } from '../queue/open-queues.ts';
import { traceQueues } from '../queue/traced-queues.ts';
import { connectRedis, logOutages } from '../redis/redis.ts';
import { realWorld, type World } from '../world.ts';
import { Breaker } from './breaker.ts';
import { floorOf } from './floor-of.ts';
import { readiness, unhealthy } from './health.ts';
import type { JobHandler } from './job-context.ts';
import { JobTaker } from './job-taker.ts';
import { tellSigns } from './tell-signs.ts';
import { Suspects } from './try-suspects-alone.ts';

/** Settings of every worker process; a stage has others besides. */
const workerSettings = [
  'redis',
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
  'exitWhenIdle',
  'httpPort',
  'httpHost',
  'logLevel',
] as const;

export type WorkerSetting = (typeof workerSettings)[number];

/** What a worker process hands to the part of it that knows its stage. */
export interface WorkerContext<S extends SettingName = WorkerSetting> {
  settings: Settings<WorkerSetting | S>;
  model: AnyModel;
  redis: Redis;
  queues: Queues;
  board: RunBoard;
  stores: StorePool;
  breaker: Breaker;
  world: World;
  metrics: Metrics;
  log: Logger;
  /** What the stage opens is closed after the last batch in hand is finished. */
  closers: Closers;
  /** Stops the process: something is broken that no retry mends. */
  fail: (error: unknown) => void;
}

/** A stage, ready to take jobs. */
export interface WorkerStage<J> {
  handle: JobHandler<J>;
  /** Batches in hand at once, unless the settings say how many. */
  jobConcurrency: number;
  /** Where the worker puts features, or finds those of others; absent where none are in flight. */
  features?: FeatureStore;
  /** Brings the stage's own gauges up to date before a scrape. */
  beforeScrape?: () => void;
  /**
   * Holds the worker back at times: awaited before each job, until there is room or it stops. Where
   * it rejects with what is transient, the worker waits, and asks again.
   */
  untilRoom?: (isStopping: () => boolean) => Promise<void>;
}

export interface WorkerProgram<J, S extends SettingName> {
  name: string;
  description: string;
  queue: QueueName;
  /** Whether its jobs end as parts, whichever queue they are from. */
  writesParts: boolean;
  schema: z.ZodType<J & { images: unknown[] }>;
  /** Of this stage alone. */
  settings: readonly S[];
  prepare: (context: WorkerContext<S>) => Promise<WorkerStage<J>>;
}

/**
 * The life of a worker process, the same for all of them: read the settings, connect, let the
 * stage load its model, serve metrics and health, take jobs until told to stop or memory is above
 * its ceiling, finish what is in hand, close.
 */
export function runWorkerProgram<J extends EncodeJob | DecodeJob, S extends SettingName>(
  program: WorkerProgram<J, S>,
): Promise<void> {
  return runService(program.name, async () => {
    refuseUnknownVariables(process.env);
    const command = createCommand(program.name, program.description);
    const names = [...workerSettings, ...program.settings];
    addSettings(command, names).parse();
    await serve(program, readSettings(command.opts(), names));
  });
}

async function serve<J extends EncodeJob | DecodeJob, S extends SettingName>(
  program: WorkerProgram<J, S>,
  settings: Settings<WorkerSetting | S>,
): Promise<void> {
  const { name, queue: stageName } = program;
  let tracing = noTracing;
  const log = createLogger({
    ...{ process: name, level: settings.logLevel },
    fields: () => tracing.logFields(),
  });
  const stop = untilStopped();
  const closers = new Closers();
  tracing = await openTracing(`cutline-${name}`, (message) =>
    log.warn({ error: message }, noTraces),
  );
  closers.add('traces', () => tracing.close());
  const opened = await openContext(settings, { log, closers, stop, tracing, stageName });
  const { metrics, redis, queues, board, stores, world, breaker } = opened;

  // A signal is heard while the model loads, too: there is nothing in hand yet.
  const prepared = await Promise.race([program.prepare(opened), stop.stopped]);
  if (!('handle' in prepared)) {
    return stopProcess(prepared, { closers, deadlineMs: settings.shutdownMs, log });
  }
  const stage = prepared;
  const ceiling = watchMemory(settings, stop, metrics);
  closers.add('memory ceiling', () => ceiling?.stop());

  const features = stage.features ?? new FeatureBooks(redis, { home: redisHome });
  const openStore = (url: string) => stores.open(url);
  const suspects = new Suspects(board, stageName);
  let isStopping = false;
  const taker = new JobTaker<J>({
    stage: stageName,
    // The queue of a stage carries that stage's jobs: the program says both.
    queue: queues[stageName] as unknown as JobQueue<J>,
    schema: program.schema,
    handle: suspects.tryAlone(stage.handle),
    floor: (job) => floorOf(job, { board, asksStore: program.writesParts, openStore }),
    concurrency: settings.jobConcurrency ?? stage.jobConcurrency,
    lockMs: settings.jobLockMs,
    ...(stage.untilRoom && { untilRoom: () => stage.untilRoom!(() => isStopping) }),
    afterJob: () => ceiling?.look(),
    ...(settings.exitWhenIdle !== undefined && {
      idle: { seconds: settings.exitWhenIdle, leave: stop.leave },
    }),
    breaker,
    world,
    metrics,
    log,
    onFatal: stop.fail,
  });

  const isUnhealthy = () => unhealthy(taker, world);
  const http = await openHttpPort({
    host: settings.httpHost,
    port: settings.httpPort,
    metrics,
    beforeScrape: async () => {
      stage.beforeScrape?.();
      metrics.featureBytes.remove(); // absent, where nobody answers in time
      metrics.featureBytes.set(await features.bytesInFlight());
    },
    unhealthy: isUnhealthy,
    ready: readiness({ redis, features, stores }),
  });
  closers.add('http', () => http.close());
  // Closed before that: while the last batches are finished, whoever asks is still answered.
  closers.add('worker', async () => {
    isStopping = true;
    await suspects.pardon().catch(() => {});
    await taker.stop();
  });

  const systemd = new SystemdNotifier();
  closers.add('systemd', () => systemd.close());
  taker.run().catch(stop.fail);
  closers.add(
    'signs of life',
    tellSigns({
      ...{ register: new WorkerRegister(redis), program: name, model: opened.model.id },
      ...{ writesParts: program.writesParts, inHand: () => taker.inHand, metrics, world },
    }),
  );
  systemd.ready(isUnhealthy);
  log.info(
    { httpPort: http.port },
    `ready: taking ${stageName} jobs from ${queues[stageName].name}`,
  );
  const reason = await stop.stopped;
  systemd.stopping();
  await stopProcess(reason, { closers, deadlineMs: settings.shutdownMs, log });
}

async function openContext<S extends SettingName>(
  settings: Settings<WorkerSetting | S>,
  {
    log,
    closers,
    stop,
    tracing,
    stageName,
  }: { log: Logger; closers: Closers; stop: Stop; tracing: Tracing; stageName: QueueName },
): Promise<WorkerContext<S>> {
  const world = realWorld;
  const metrics = new Metrics({ processMetrics: true, tracing });
  const model = await describeModel(settings.model ?? defaultBundleFolder());
  const redis = await connectRedis(settings.redis);
  closers.add('Redis', () => redis.disconnect());
  logOutages(redis, log);
  const opened = openQueues({ model: model.id, redis, lockMs: settings.jobLockMs, world });
  const queues = traceQueues(opened, stageName, tracing);
  closers.add('queues', () => closeQueues(queues));
  const stores = new StorePool({
    ...storeConfig(settings),
    onNotice: (text) => log.warn(text),
  });
  closers.add('stores', () => stores.close());
  return {
    settings,
    redis,
    queues,
    board: new RedisBoard(redis),
    stores,
    breaker: new Breaker(),
    world,
    metrics,
    log,
    closers,
    fail: stop.fail,
    model,
  };
}

const noTraces = 'traces cannot be sent';

/** From when the model is loaded: then most of what a worker takes is taken. */
function watchMemory(
  { memoryBytesMax }: Settings<'memoryBytesMax'>,
  { recycle }: Stop,
  metrics: Metrics,
): MemoryCeiling | undefined {
  if (memoryBytesMax === undefined) return undefined;
  metrics.memoryCeilingBytes.set(memoryBytesMax);
  const ceiling = new MemoryCeiling({ memoryBytesMax, onExcess: recycle });
  ceiling.start();
  return ceiling;
}
