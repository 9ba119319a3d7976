import type { QueueName } from '@cutline/shared/process';
import { type BatchAttempt, jobId, parseJobId } from '@cutline/shared/run';
import type { Job, JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { World } from '../world.ts';
import { loadBullMQ } from './bullmq-load.ts';
import { BullTaker } from './bullmq-taker.ts';
import type { JobCounts, JobQueue, QueuedBatch, TakenJob } from './job-queue.ts';
import { modelHash, queueName } from './queue-name.ts';

/**
 * The queue on BullMQ, whose scripts change a job's state in one step. They are called one by one
 * ("manual processing"), so that the caller decides when to take, to renew and to give up; what a
 * job leads to is not decided here.
 *
 * Commands to Redis: `addNew` 2, every other operation 1; `take` up to 5 where a job comes while it
 * waits, and 2 each time that none does. A worker looks for the jobs of dead ones once a `lockMs`.
 */
export interface BullQueueOptions {
  stage: QueueName;
  /** `<name>@<hash>` */
  model: string;
  /** Shared, and left open by `close`; a queue that takes opens one more for itself. */
  redis: Redis;
  /** After this long without `renew`, a job goes to another worker, which may take as long again. */
  lockMs: number;
  /** BullMQ has its own clock besides, which is the machine's. */
  world: World;
}

/** Finished jobs say nothing that the parts do not say; a few are kept to look at. */
const finishedJobs: JobsOptions = {
  removeOnComplete: { count: 100 },
  removeOnFail: { count: 1000 },
};

/** Workers take from one list first: where its jobs are put tells when. Others wait in a set. */
const placeInQueue: Record<'high' | 'low', JobsOptions> = {
  high: { lifo: true },
  low: { priority: 1 },
};

const liveStates = ['waiting', 'active', 'delayed', 'prioritized'] as const;

export function openBullQueue<J extends QueuedBatch>(options: BullQueueOptions): JobQueue<J> {
  return new BullQueue<J>(options);
}

class BullQueue<J extends QueuedBatch> implements JobQueue<J> {
  readonly name: string;
  readonly #queue: Queue<QueuedBatch>;
  readonly #options: BullQueueOptions;
  /** Where Redis Cluster keeps both queues of a model: BullMQ's scripts want one place for all. */
  readonly #prefix: string;
  #taker: BullTaker | undefined;
  #stopped = false;

  constructor(options: BullQueueOptions) {
    this.#options = options;
    this.name = queueName(options.stage, options.model);
    this.#prefix = `{cutline-${modelHash(options.model)}}`;
    const { Queue } = loadBullMQ();
    this.#queue = new Queue(this.name, { connection: options.redis, prefix: this.#prefix });
    // Whoever asks the queue for something hears of what went wrong with it; without a listener,
    // it would print every lost connection besides.
    this.#queue.on('error', () => {});
  }

  async add(job: J, options: { delayMs?: number } = {}): Promise<void> {
    await this.#add(job, 'batch', options);
  }

  async addNew(job: J, options: { delayMs?: number } = {}): Promise<boolean> {
    const { redis, world } = this.#options;
    // BullMQ answers the same whether the job was there or not. Its name tells: the first one's
    // stays. A job that is gone already was new, or else was there and is done.
    const name = world.newId();
    await this.#add(job, name, options);
    const kept = await redis.hget(this.#queue.toKey(jobId(job)), 'name');
    return kept === null || kept === name;
  }

  async #add(job: J, name: string, { delayMs = 0 }: { delayMs?: number }): Promise<void> {
    await this.#queue.add(name, job, {
      jobId: jobId(job),
      ...(delayMs > 0 && { delay: delayMs }),
      ...(job.priority && placeInQueue[job.priority]),
    });
  }

  async take(waitMs: number): Promise<TakenJob | undefined> {
    if (this.#stopped) return undefined;
    // Only now: workers are counted by it, and producers never take.
    this.#taker ??= new BullTaker({ ...this.#options, name: this.name, prefix: this.#prefix });
    return this.#taker.take(waitMs);
  }

  async stopTaking(): Promise<void> {
    this.#stopped = true;
    await this.#taker?.stop();
  }

  async renew(job: TakenJob): Promise<boolean> {
    return (await this.#job(job).extendLock(job.token, this.#options.lockMs)) === 1;
  }

  finish(job: TakenJob): Promise<boolean> {
    return whileHeld(this.#job(job).moveToCompleted(null, job.token, false));
  }

  giveBack(job: TakenJob, { delayMs }: { delayMs: number }): Promise<boolean> {
    const dueMs = this.#options.world.now() + delayMs;
    return whileHeld(this.#job(job).moveToDelayed(dueMs, job.token));
  }

  refuse(job: TakenJob, reason: string): Promise<boolean> {
    const { UnrecoverableError } = loadBullMQ();
    return whileHeld(this.#job(job).moveToFailed(new UnrecoverableError(reason), job.token));
  }

  async live(run?: string): Promise<BatchAttempt[]> {
    // From the first to the last: by default, BullMQ gives two jobs of each state.
    const ids = await this.#queue.getRanges([...liveStates], 0, -1);
    return ids
      .map(parseJobId)
      .filter((attempt) => attempt !== undefined)
      .filter((attempt) => run === undefined || attempt.run === run);
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#queue.remove(id)) === 1;
  }

  async counts(): Promise<JobCounts> {
    const counts = await this.#queue.getJobCounts(...liveStates, 'failed');
    const { waiting = 0, prioritized = 0, delayed = 0, active = 0, failed = 0 } = counts;
    return { waiting: waiting + prioritized, delayed, active, failed };
  }

  async oldestWaiting(): Promise<number | undefined> {
    const [next] = await this.#queue.getWaiting(0, 0);
    const [nextOfLow] = next ? [] : await this.#queue.getPrioritized(0, 0);
    return (next ?? nextOfLow)?.timestamp;
  }

  workers(): Promise<number> {
    return this.#queue.getWorkersCount();
  }

  async close(): Promise<void> {
    await this.stopTaking();
    await this.#queue.close();
  }

  /** As much of a job as it takes to end it: no data, which only workers read. */
  #job({ id }: TakenJob): Job {
    const { Job } = loadBullMQ();
    return new Job(this.#queue, 'batch', {}, finishedJobs, id);
  }
}

/** The job was removed or forgotten, its lock has expired, another has its lock, or it is over. */
function isLost(code: unknown): boolean {
  const { ErrorCode } = loadBullMQ();
  const lostCodes: readonly unknown[] = [
    ErrorCode.JobNotExist,
    ErrorCode.JobLockNotExist,
    ErrorCode.JobLockMismatch,
    ErrorCode.JobNotInState,
  ];
  return lostCodes.includes(code);
}

async function whileHeld(operation: Promise<unknown>): Promise<boolean> {
  try {
    await operation;
    return true;
  } catch (error) {
    if (isLost((error as { code?: unknown }).code)) return false;
    throw error;
  }
}
