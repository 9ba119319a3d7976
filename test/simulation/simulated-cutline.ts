import type { Features } from '@cutline/inference';
import {
  Breaker,
  cancelRun,
  type DecodeBatchContext,
  type DecodeJob,
  type DriveRunContext,
  decodeAtOnce,
  decodeBatch,
  decodeJobSchema,
  driveRun,
  type EncodeBatchContext,
  type EncodeJob,
  encodeBatch,
  encodeJobSchema,
  type FeatureStore,
  floorOf,
  HoldBack,
  handOverToDecoders,
  type JobHandler,
  type JobQueue,
  JobTaker,
  type JobTakerOptions,
  MemoryBoard,
  MemoryFeatures,
  MemoryQueueServer,
  type Queues,
  type RunBoard,
  Suspects,
  type World,
} from '@cutline/pipeline';
import { describeError } from '@cutline/shared/errors';
import { createLogger, Metrics } from '@cutline/shared/process';
import { type BatchAttempt, type ImageRef, jobId, RunStore } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import { Bucket } from './bucket.ts';
import { LateEffects } from './late-effects.ts';
import { captionOf, encodeBytes, modelId } from './simulated-model.ts';
import { type SharedFate, SimulatedProcess } from './simulated-process.ts';

/** [n, 1, 2] */
function featuresOf(payload: Uint8Array[]): Features | undefined {
  if (payload.length === 0) return undefined;
  return { dtype: 'float16', shape: [payload.length, 1, 2], payload: Buffer.concat(payload) };
}

/** What a process sees of the world. */
interface Outside {
  queues: Queues;
  board: RunBoard;
  features: FeatureStore;
  store: (url: string) => ObjectStore;
}

/** What Redis is like: now and then it is full, or only to be read. */
export type RedisMode = 'fine' | 'full' | 'read-only';

const lockMs = 30_000;
const brokenEngine = 'the engine is broken';

const denied = 'S3 denies';

/** Many images in a row that are strange look like a broken engine, too. */
const mayStop = new RegExp(`${brokenEngine}|^${denied}|batches in a row failed .*received NaN`);

/** The run that a round is about. */
export const watchedRun = 'round';
export const output = { store: 's3://captions', prefix: '' };
export const sources = ['s3://archive', 's3://other'] as const;

interface SimulatedWorker {
  process: SimulatedProcess;
  late: ReturnType<LateEffects['ofWorker']>;
  outside: Outside;
  /** What the jobs of all kinds of workers need. */
  context: Omit<EncodeBatchContext & DecodeBatchContext, 'stage' | 'handOver' | 'openFeatures'>;
}

export type WorkerKind = 'encoder' | 'decoder' | 'captioner';

/** Cutline in one process, in memory: its outside world, and the processes that one starts in it. */
export class SimulatedCutline {
  readonly stores = new Map<string, Bucket>();
  readonly board: MemoryBoard;
  readonly features: MemoryFeatures;
  readonly queues: MemoryQueueServer;
  readonly #world: World;
  /** Why a worker stopped that should not have. */
  readonly fatal: unknown[] = [];
  redis: RedisMode = 'fine';
  /** An engine that throws on every batch. */
  isEngineBroken = false;
  /** A model that says something else each time. */
  isFickle = false;
  /** The output store hands out no parts: somebody changed its policy. */
  arePartsDenied = false;
  readonly late: LateEffects;
  readonly #fate: SharedFate;
  readonly #metrics = new Metrics();
  #started = 0;

  /** @param doneMax jobs that the queues remember when they are done: a long run exceeds it. */
  constructor(fate: SharedFate, { doneMax }: { doneMax: number }) {
    this.#fate = fate;
    this.queues = new MemoryQueueServer({ doneMax: { completed: doneMax, failed: doneMax } });
    const { now, sleep } = fate.time;
    let ids = 0;
    const world = {
      now,
      sleep: sleep.bind(fate.time),
      random: fate.random,
      newId: () => `token-${++ids}`,
    };
    for (const url of [output.store, ...sources]) this.stores.set(url, new Bucket(url));
    this.board = new MemoryBoard({ world });
    this.features = new MemoryFeatures({ ttlMs: 15 * 60_000, world });
    this.#world = world;
    this.late = new LateEffects(now, watchedRun);
    this.store(output.store).onPut = (key, bytes) => this.late.saw(key, bytes);
  }

  flushRedis(): void {
    for (const each of [this.board, this.features, this.queues]) {
      each.flush();
    }
  }

  /** Ids of the jobs that are left in the queues. */
  async jobsLeft(): Promise<string[]> {
    const open = (stage: 'encode' | 'decode') =>
      this.queues.open({ stage, model: modelId, lockMs, world: this.#world });
    return [...(await open('encode').live()), ...(await open('decode').live())].map(jobId);
  }

  store(url: string): Bucket {
    const store = this.stores.get(url);
    if (!store) throw new StoreError('misconfigured', `There is no bucket ${url}.`);
    return store;
  }

  /** Starts a producer; its process is dead when `done` settles. */
  produce(what: DriveRunContext['what']) {
    const process = this.#start('producer');
    const enqueues = this.late.ofProducer(process.name);
    const outside = this.#outside(process, { does: enqueues });
    let hasRun = false;
    const done = driveRun({
      what,
      output,
      openStore: async (url) => outside.store(url),
      board: outside.board,
      openQueues: () => outside.queues,
      onClaimed: () => {
        hasRun = true;
      },
      window: 4,
      world: process.world,
      metrics: this.#metrics,
      log,
    });
    return { process, done: this.#untilEnd(process, done), hasRun: () => hasRun };
  }

  cancel(run: string) {
    const process = this.#start('cancel');
    const { board, queues, features, store } = this.#outside(process);
    const runStore = new RunStore(store(output.store), output.prefix, run);
    const cancel = async () => {
      const { world } = process;
      const jobs = await cancelRun({ runStore, board, queues, features, world, log });
      if (jobs === undefined) return;
      const claims = await new RunStore(this.store(output.store), output.prefix, run).readClaims();
      const { generation } = claims.findLast(({ kind }) => kind === 'cancel')!;
      this.late.wasCancelled(run, generation);
    };
    return { process, done: this.#untilEnd(process, cancel()) };
  }

  /** Starts a worker, and another when it dies. */
  keepWorker(kind: WorkerKind, isOver: () => boolean): void {
    const process = this.#start(kind);
    const taker = {
      encoder: () => this.#encoder(process),
      decoder: () => this.#decoder(process),
      captioner: () => this.#captioner(process),
    };
    void taker[kind]().run();
    void process.died.then(async () => {
      await this.#fate.time.sleep(1_000 + this.#fate.random() * 20_000);
      if (!isOver()) this.keepWorker(kind, isOver);
    });
  }

  #encoder(process: SimulatedProcess) {
    const worker = this.#worker(process);
    const { queues, board, features } = worker.outside;
    const holdBack = new HoldBack({ features, bytesMax: 200, world: process.world, log });
    const handOver = handOverToDecoders({
      ...{ model: modelId, features, queues, board, metrics: this.#metrics, world: process.world },
      onStored: (bytes) => holdBack.observe(bytes),
    });
    const handle = encodeBatch({ ...worker.context, stage: this.#encodeStage(process), handOver });
    const more = { asksStore: false, untilRoom: () => holdBack.untilRoom() };
    return this.#taker(worker, 'encode', encodeJobSchema, handle, more);
  }

  #decoder(process: SimulatedProcess) {
    const worker = this.#worker(process);
    const { features } = worker.outside;
    const stage = this.#decodeStage(process);
    const openFeatures = async () => features;
    const handle = decodeBatch({ ...worker.context, stage, openFeatures });
    return this.#taker(worker, 'decode', decodeJobSchema, handle, { asksStore: true });
  }

  /** Both stages in one job. */
  #captioner(process: SimulatedProcess) {
    const worker = this.#worker(process);
    const stage = this.#decodeStage(process);
    const handOver = decodeAtOnce({ ...worker.context, stage, breaker: new Breaker() });
    const handle = encodeBatch({ ...worker.context, stage: this.#encodeStage(process), handOver });
    return this.#taker(worker, 'encode', encodeJobSchema, handle, { asksStore: true });
  }

  #worker(process: SimulatedProcess): SimulatedWorker {
    const late = this.late.ofWorker(process.name);
    const outside = this.#outside(process, late);
    const { queues, board, store } = outside;
    const context = {
      openStore: async (url: string) => store(url),
      remainderDelayMs: 30_000,
      ...{ queues, board, metrics: this.#metrics, world: process.world },
      breaker: new Breaker(),
    };
    return { process, late, outside, context };
  }

  #encodeStage(process: SimulatedProcess) {
    return {
      model: modelId,
      encode: async (images: readonly ImageRef[], from: ObjectStore) => {
        await compute(process);
        return this.#encode(images, from);
      },
      prove: () => this.#prove(),
    };
  }

  #decodeStage(process: SimulatedProcess) {
    return {
      model: modelId,
      decode: async ({ payload, shape: [count] }: Features) => {
        await compute(process);
        if (this.isEngineBroken) throw new Error(brokenEngine);
        return Array.from({ length: count }, (_, i) =>
          captionOf(payload.subarray(i * 4, i * 4 + 4), this.#mood()),
        );
      },
      prove: () => this.#prove(),
    };
  }

  #taker<J extends EncodeJob | DecodeJob>(
    { process, late, outside, context }: SimulatedWorker,
    stage: 'encode' | 'decode',
    schema: JobTakerOptions<J>['schema'],
    handle: JobHandler<J>,
    { asksStore, ...more }: { asksStore: boolean; untilRoom?: () => Promise<void> },
  ): JobTaker<J> {
    const { queues, board } = outside;
    const { openStore, breaker } = context;
    return new JobTaker<J>({
      stage,
      queue: queues[stage] as unknown as JobQueue<J>,
      schema,
      handle: new Suspects(board, stage).tryAlone(watch(handle, late.took)),
      floor: (job) => floorOf(job, { board, asksStore, openStore }),
      concurrency: 2,
      lockMs,
      breaker,
      onFatal: (error) => {
        if (!mayStop.test(describeError(error))) this.fatal.push(error);
        process.kill();
      },
      ...more,
      ...{ world: process.world, metrics: this.#metrics, log },
    });
  }

  #mood(): string {
    return this.isFickle ? '!'.repeat(1 + Math.floor(this.#fate.random() * 3)) : '';
  }

  async #prove(): Promise<void> {
    if (this.isEngineBroken) throw new Error(brokenEngine);
  }

  /** Fetches as the encode stage does, and has no pixels to look at. */
  async #encode(images: readonly ImageRef[], from: ObjectStore) {
    if (this.isEngineBroken) throw new Error(brokenEngine);
    const payload: Uint8Array[] = [];
    const outcomes = [];
    for (const { key, etag } of images) {
      outcomes.push(
        await from.get(key, etag === null ? {} : { etag }).then(
          (object) => encodeBytes(object, payload),
          (error: StoreError) => {
            if (error.reason === 'unavailable') {
              return { status: 'deferred' as const, message: error.message };
            }
            const failure = { class: error.reason as 'not-found', message: error.message };
            return { status: 'failed' as const, failure };
          },
        ),
      );
    }
    return { outcomes, features: featuresOf(payload) };
  }

  #start(kind: string): SimulatedProcess {
    this.#started += 1;
    return new SimulatedProcess(`${kind} ${this.#started}`, this.#fate);
  }

  /**
   * What a process sees of the world.
   * @param late what watches it: told of questions for the floor, of jobs that are added, of parts
   */
  #outside(
    process: SimulatedProcess,
    { asked, does }: { asked?: () => void; does?: (attempt: BatchAttempt) => void } = {},
  ): Outside {
    const redis = {
      refusal: () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
      blocked: (operation: string) => refusedBy(this.redis, operation),
      told: (operation: string, [job]: unknown[]) => {
        if (operation === 'floor') asked?.();
        if (operation === 'add') does?.(job as BatchAttempt);
      },
    };
    const s3 = {
      refusal: () => new StoreError('unavailable', 'S3 asks for fewer requests (503).'),
      blocked: (operation: string, [key]: unknown[]) => {
        const isDenied = this.arePartsDenied && operation === 'get' && partPath.test(String(key));
        return isDenied ? new StoreError('access-denied', `${denied} ${key} (403).`) : undefined;
      },
      told: (operation: string, [key]: unknown[]) => {
        if (operation !== 'put' || !does) return;
        const [, run, batch, attempt = '0'] = partPath.exec(String(key)) ?? [];
        if (run) does({ run, batch: Number(batch), attempt });
      },
    };
    const queue = (stage: 'encode' | 'decode') => {
      const { world } = process;
      const connection = this.queues.open({ stage, model: modelId, lockMs, world });
      // With its process ends a connection that waits for a job, and gets none.
      void process.died.then(() => connection.stopTaking());
      return process.reach(connection, redis);
    };
    const queues = { encode: queue('encode'), decode: queue('decode') } as unknown as Queues;
    return {
      queues,
      board: process.reach(this.board, redis),
      features: process.reach(this.features, redis),
      store: (url: string): ObjectStore => process.reach(this.store(url), s3),
    };
  }

  /** A process ends when its main function does, well or not. */
  async #untilEnd<T>(process: SimulatedProcess, done: Promise<T>): Promise<T | 'died'> {
    const died = process.died.then(() => 'died' as const);
    return Promise.race([done, died]).finally(() => process.kill());
  }
}

const partPath = /(\w+)\/parts\/(\d+)(?:\.(\w+))?\.jsonl$/;

/** The handler, and `took` is told of each job that comes to it. */
function watch<J extends BatchAttempt>(
  handle: JobHandler<J>,
  took: (job: BatchAttempt) => void,
): JobHandler<J> {
  return (job, context) => {
    took(job);
    return handle(job, context);
  };
}

/** An engine takes its time; the rest of the process goes on meanwhile. */
async function compute({ world }: SimulatedProcess): Promise<void> {
  await world.sleep(10_000 * world.random());
}

/** What a Redis that is full, or a replica, says to a command. */
function refusedBy(mode: RedisMode, operation: string): Error | undefined {
  if (mode === 'fine' || /^(get|counts|live|progress|owner|floor|bytesInFlight)$/.test(operation)) {
    return undefined;
  }
  const message =
    mode === 'full'
      ? "OOM command not allowed when used memory > 'maxmemory'."
      : "READONLY You can't write against a read only replica.";
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

const log = createLogger({ process: 'simulation', level: 'silent' });
