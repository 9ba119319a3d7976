import { describeError, isDisconnection, isForUser } from '@cutline/shared/errors';
import type { Logger, Metrics, QueueName } from '@cutline/shared/process';
import { type BatchAttempt, jobId, parseJobId } from '@cutline/shared/run';
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { z } from 'zod';
import type { DecodeJob, EncodeJob } from '../jobs.ts';

/**
 * The two queues, on BullMQ: `cutline-encode` and `cutline-decode`. Delivery is at least once; a
 * job's id is derived from run, batch and attempt, so adding it twice adds it once while the first
 * still exists, and doing it twice is harmless.
 */
export interface Queues {
  encode: Queue<EncodeJob>;
  decode: Queue<DecodeJob>;
}

/** Keys in Redis start with it: `cutline:cutline-encode:wait`, … */
const keyPrefix = 'cutline';

/** Finished jobs say nothing that the parts do not say; a few are kept to look at. */
const finishedJobs = { removeOnComplete: { count: 100 }, removeOnFail: { count: 1000 } };

/**
 * An attempt that throws (an outage of the output store or of Redis) is tried again, soon at
 * first, then every minute or so, for about a week; jitter keeps workers from returning in step.
 */
const retries = { attempts: 10_000, backoff: { type: 'capped' } } as const;

function backoffMs(failures: number): number {
  const ceiling = Math.min(60_000, 1_000 * 2 ** Math.min(failures - 1, 10));
  return ceiling * (0.5 + Math.random() / 2);
}

export function openQueues(redis: Redis): Queues {
  const options = {
    connection: redis,
    prefix: keyPrefix,
    defaultJobOptions: { ...finishedJobs, ...retries },
  };
  const queues = {
    encode: new Queue<EncodeJob>('cutline-encode', options),
    decode: new Queue<DecodeJob>('cutline-decode', options),
  };
  // Whoever asks a queue for something hears of what went wrong with it; without a listener, the
  // queue would print every lost connection besides.
  for (const queue of Object.values(queues)) queue.on('error', () => {});
  return queues;
}

export async function closeQueues(queues: Queues): Promise<void> {
  await Promise.all([queues.encode.close(), queues.decode.close()]);
}

/** Adds a job under its derived id; adding it again changes nothing. */
export async function addJob<J extends BatchAttempt>(
  queue: Queue<J>,
  job: J,
  options: { delayMs?: number } = {},
): Promise<void> {
  // BullMQ derives the type of a job's name and data from Queue's parameter with conditional
  // types that a generic J cannot satisfy; the queue's own type has already tied J down.
  await (queue as unknown as Queue<BatchAttempt>).add('batch', job, {
    jobId: jobId(job),
    ...(options.delayMs ? { delay: options.delayMs } : {}),
  });
}

const liveStates = ['waiting', 'active', 'delayed', 'prioritized'] as const;

/** The attempts of a run that jobs in a queue hold. */
export async function liveAttempts(
  queue: Queues[keyof Queues],
  run: string,
): Promise<BatchAttempt[]> {
  // From the first to the last: by default, BullMQ gives two jobs of each state.
  const ids = await queue.getRanges([...liveStates], 0, -1);
  return ids.map(parseJobId).filter((attempt) => attempt?.run === run) as BatchAttempt[];
}

/**
 * The batches of a run that some job in either queue still holds. The encode queue is read again
 * at the end, since a decode job may send its batch back there between two reads.
 */
export async function liveBatches(queues: Queues, run: string): Promise<Set<number>> {
  const live = new Set<number>();
  for (const queue of [queues.encode, queues.decode, queues.encode]) {
    for (const { batch } of await liveAttempts(queue, run)) live.add(batch);
  }
  return live;
}

/** What a worker does with a job. `lostWorkers` counts the workers that died holding it. */
export type JobHandler<J> = (
  job: J,
  context: { lostWorkers: number; failures: number; log: Logger },
) => Promise<void>;

export interface JobWorkerOptions<J> {
  queue: QueueName;
  redis: Redis;
  schema: z.ZodType<J>;
  handle: JobHandler<J>;
  /** Jobs at once: the next one is fetched and decoded while this one computes. */
  concurrency: number;
  /**
   * After this long without a sign of life from a worker, its jobs go to another. Renewed at half
   * this time by the event loop, which inference never blocks. Default 30 000.
   */
  lockMs: number;
  metrics: Metrics;
  log: Logger;
  /** Something only a person can put right: the job is kept, and the process should stop. */
  onUserError: (error: Error) => void;
}

/**
 * Takes jobs from one queue. A job that throws is tried again (see `retries`); one whose worker
 * died is taken by another.
 */
export function startJobWorker<J extends BatchAttempt & { images: unknown[] }>(
  options: JobWorkerOptions<J>,
): Worker {
  const { queue, metrics, log } = options;
  const worker = new Worker(
    `cutline-${queue}`,
    async (job: Job) => {
      const started = performance.now();
      metrics.queueWaitSeconds.observe(
        { queue },
        Math.max(0, Date.now() - job.timestamp - (job.delay ?? 0)) / 1000,
      );
      const data = parseJob(options.schema, job);
      metrics.batchImages.observe({ queue }, data.images.length);
      const jobLog = log.child({ run: data.run, batch: data.batch, attempt: data.attempt });
      try {
        await options.handle(data, {
          lostWorkers: job.stalledCounter,
          failures: job.attemptsMade,
          log: jobLog,
        });
        jobLog.info(
          { images: data.images.length, durationMs: Math.round(performance.now() - started) },
          `${queue} done`,
        );
      } catch (error) {
        if (isForUser(error)) options.onUserError(error);
        else
          jobLog.warn({ error: describeError(error), tries: job.attemptsMade + 1 }, 'will retry');
        throw error;
      }
    },
    {
      connection: options.redis,
      prefix: keyPrefix,
      concurrency: options.concurrency,
      lockDuration: options.lockMs,
      stalledInterval: options.lockMs,
      // Batches that workers die on are divided by the handler, never failed as a whole.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      autorun: false,
      settings: { backoffStrategy: backoffMs },
      ...finishedJobs,
    },
  );
  // The worker recovers by itself; lost connections are told of by `logOutages`.
  worker.on('error', (error) => {
    if (!isDisconnection(error)) log.warn({ error: describeError(error) }, 'queue error');
  });
  worker.on('stalled', (id) => log.warn({ job: id }, 'a worker died holding this job'));
  return worker;
}

function parseJob<J>(schema: z.ZodType<J>, job: Job): J {
  const parsed = schema.safeParse(job.data);
  if (parsed.success) return parsed.data;
  // Not retried: the producer's next pass makes the batch's job anew, in its own version's words.
  throw new UnrecoverableError(
    `Job ${job.id} is not of this version of Cutline; run "cutline resume" with the workers' version`,
  );
}
