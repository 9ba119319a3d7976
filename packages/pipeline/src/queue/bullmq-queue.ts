import { type BatchAttempt, jobId, parseJobId } from '@cutline/shared/run';
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { World } from '../world.ts';
import type { JobCounts, JobQueue, TakenJob } from './job-queue.ts';

/** Finished jobs say nothing that the parts do not say; a few are kept to look at. */
const finishedJobs = { removeOnComplete: { count: 100 }, removeOnFail: { count: 1000 } };

const liveStates = ['waiting', 'active', 'delayed', 'prioritized'] as const;

export interface BullQueueOptions {
  name: string;
  /** Of its keys: a hash tag, so that they lie on one node of a Redis Cluster. */
  prefix: string;
  redis: Redis;
  /** After this long without a sign of life from a worker, its jobs go to another. */
  lockMs: number;
  world: World;
}

/**
 * A queue on BullMQ, by its functions for processing by hand: jobs are asked for and not pushed, so
 * that how many are in hand, how their locks are kept, and what becomes of those that fail, is all
 * decided in one place, for every queue (see `JobTaker`).
 */
export class BullQueue<J extends BatchAttempt> implements JobQueue<J> {
  readonly name: string;
  readonly #options: BullQueueOptions;
  readonly #queue: Queue;
  /** There once jobs are taken: only who takes some is a worker. */
  #worker: Worker | undefined;
  readonly #jobs = new WeakMap<TakenJob, Job>();
  #isStopping = false;
  #tellStopping: () => void = () => {};
  readonly #stopping: Promise<undefined>;

  constructor(options: BullQueueOptions) {
    const { name, prefix, redis } = options;
    this.name = name;
    this.#options = options;
    this.#queue = new Queue(name, {
      connection: redis,
      prefix,
      defaultJobOptions: { ...finishedJobs, attempts: Number.MAX_SAFE_INTEGER },
    });
    // Whoever asks a queue for something hears of what went wrong with it; without a listener, it
    // would print every lost connection besides.
    this.#queue.on('error', () => {});
    this.#stopping = new Promise((resolve) => {
      this.#tellStopping = () => resolve(undefined);
    });
  }

  async add(job: J, { delayMs = 0 }: { delayMs?: number } = {}): Promise<boolean> {
    const { redis, world } = this.#options;
    const id = jobId(job);
    const name = world.newId();
    await this.#queue.add(name, job, { jobId: id, ...(delayMs > 0 && { delay: delayMs }) });
    // BullMQ does not tell whether there was one of that id: its name is not this one's, then.
    return (await redis.hget(this.#queue.toKey(id), 'name')) === name;
  }

  async take(waitMs: number): Promise<TakenJob | undefined> {
    const { world } = this.#options;
    const deadline = world.now() + waitMs;
    // BullMQ may also say "none" without having waited.
    for (;;) {
      if (this.#isStopping) return undefined;
      const worker = await this.#startWorker();
      const leftMs = deadline - world.now();
      worker.opts.drainDelay = Math.max(0, leftMs) / 1000;
      const token = world.newId();
      const next = worker.getNextJob(token, { block: leftMs > 0 });
      const job = await Promise.race([next, this.#stopping]);
      if (job) return this.#taken(job, token);
      if (this.#isStopping) {
        // What it may still bring goes back at once, for others.
        next.then((late) => late?.moveToDelayed(Date.now(), token)).catch(() => {});
      }
      if (world.now() >= deadline) return undefined;
    }
  }

  async stopTaking(): Promise<void> {
    this.#isStopping = true;
    this.#tellStopping();
  }

  async renew(taken: TakenJob): Promise<boolean> {
    const job = this.#job(taken);
    return ifMine(async () => {
      const renewed: unknown = await job.extendLock(taken.token, this.#options.lockMs);
      return renewed === 1;
    });
  }

  async finish(taken: TakenJob): Promise<boolean> {
    const job = this.#job(taken);
    return ifMine(async () => {
      await job.moveToCompleted(null, taken.token, false);
      return true;
    });
  }

  async giveBack(taken: TakenJob, { delayMs }: { delayMs: number }): Promise<boolean> {
    const job = this.#job(taken);
    return ifMine(async () => {
      await job.moveToDelayed(Date.now() + delayMs, taken.token);
      return true;
    });
  }

  async refuse(taken: TakenJob, reason: string): Promise<boolean> {
    const job = this.#job(taken);
    return ifMine(async () => {
      await job.moveToFailed(new UnrecoverableError(reason), taken.token, false);
      return true;
    });
  }

  async live(run?: string): Promise<BatchAttempt[]> {
    // From the first to the last: by default, BullMQ gives two jobs of each state.
    const ids = await this.#queue.getRanges([...liveStates], 0, -1);
    return ids
      .flatMap((id) => parseJobId(id) ?? [])
      .filter((attempt) => run === undefined || attempt.run === run);
  }

  async remove(id: string): Promise<boolean> {
    // A job whose worker died is locked no more, and can be removed like any other.
    if ((await this.#queue.remove(id)) !== 0) return true;
    return (await this.#options.redis.exists(this.#queue.toKey(id))) === 0;
  }

  async counts(): Promise<JobCounts> {
    const counts = await this.#queue.getJobCounts('waiting', 'delayed', 'active', 'failed');
    const { waiting = 0, delayed = 0, active = 0, failed = 0 } = counts;
    return { waiting, delayed, active, failed };
  }

  async oldestWaiting(): Promise<number | undefined> {
    const [oldest] = await this.#queue.getWaiting(0, 0);
    return oldest && oldest.timestamp + (oldest.delay ?? 0);
  }

  async workers(): Promise<number> {
    return this.#queue.getWorkersCount();
  }

  async close(): Promise<void> {
    await this.stopTaking();
    await this.#worker?.close(true);
    await this.#queue.close();
  }

  async #startWorker(): Promise<Worker> {
    if (this.#worker) return this.#worker;
    const { name, prefix, redis, lockMs } = this.#options;
    const worker = new Worker(name, null, {
      connection: redis,
      prefix,
      autorun: false,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      // Batches that workers die on are divided by their stage, never failed as a whole.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    worker.on('error', () => {}); // whoever takes jobs hears of it
    this.#worker = worker;
    await worker.startStalledCheckTimer();
    return worker;
  }

  #taken(job: Job, token: string): TakenJob {
    const { now } = this.#options.world;
    const deaths = job.stalledCounter;
    const taken: TakenJob = {
      id: job.id as string,
      token,
      data: job.data,
      deaths,
      givenBack: Math.max(0, job.attemptsStarted - 1 - deaths),
      // Its delay in BullMQ becomes that with which it was given back.
      waitedMs: Math.max(0, now() - job.timestamp - (job.opts.delay ?? 0)),
    };
    this.#jobs.set(taken, job);
    return taken;
  }

  #job(taken: TakenJob): Job {
    const job = this.#jobs.get(taken);
    if (!job) throw new Error(`job ${taken.id} was not taken from this queue`);
    return job;
  }
}

/** What BullMQ's scripts answer where a job is gone, or in the hand of another. */
const notMine = [-1, -2, -3, -6];

async function ifMine(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (notMine.includes((error as { code?: number }).code as number)) return false;
    throw error;
  }
}
