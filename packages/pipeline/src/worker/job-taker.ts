import { describeError, isForUser, isTransient } from '@cutline/shared/errors';
import type { Logger, Metrics, QueueName } from '@cutline/shared/process';
import { attemptName, type BatchAttempt, describeAttempt, generationOf } from '@cutline/shared/run';
import type { z } from 'zod';
import { pauseMs } from '../patience.ts';
import type { JobQueue, TakenJob } from '../queue/job-queue.ts';
import type { World } from '../world.ts';
import { Breaker } from './breaker.ts';
import { BrokenWorkerError, type JobHandler, UnwantedJobError } from './job-context.ts';
import { traceJob } from './trace-job.ts';

export interface JobTakerOptions<J extends BatchAttempt> {
  stage: QueueName;
  queue: JobQueue<J>;
  schema: z.ZodType<J & { images: unknown[] }>;
  handle: JobHandler<J>;
  /** The lowest generation of attempts that a job's run still wants. */
  floor: (job: J) => Promise<number>;
  /** Jobs at once: the next one is fetched and decoded while this one computes. */
  concurrency: number;
  /** After this long without a sign of life, the job goes to another; renewed at half of it. */
  lockMs: number;
  /** Awaited before each job is taken: to hold the worker back. */
  untilRoom?: () => Promise<void>;
  /** Told after each job. */
  afterJob?: () => void;
  /**
   * Told when the worker has had nothing in hand, and found nothing to take, for so long. Time in
   * which the queue did not answer, or the worker was held back, does not count.
   */
  idle?: { seconds: number; leave: (idleSeconds: number) => void };
  breaker?: Breaker;
  world: World;
  metrics: Metrics;
  log: Logger;
  /** Something only a person can put right, or a broken invariant: the process should stop. */
  onFatal: (error: unknown) => void;
}

/** How long one question for a job waits for an answer. */
const waitMs = 5_000;

/**
 * Takes jobs from a queue and sees each to its end:
 *
 *   taken → handled → finished
 *         → handled, but nobody wants it any more → dropped
 *         → failed over an outage, or in a way that nobody foresaw → given back, to be tried later
 *         → not of this version → refused, which is logged; the producer's next pass makes it anew
 */
export class JobTaker<J extends BatchAttempt> {
  readonly #options: JobTakerOptions<J>;
  readonly #breaker: Breaker;
  readonly #inHand = new Map<Promise<void>, number>();
  #isStopping = false;
  /** How long nothing has been in hand, and the queue said that there was nothing. */
  #idleMs = 0;

  constructor(options: JobTakerOptions<J>) {
    this.#options = options;
    this.#breaker = options.breaker ?? new Breaker();
  }

  /** Jobs in hand. */
  get inHand(): number {
    return this.#inHand.size;
  }

  /** When the job was taken that is in hand for longest, in ms since 1970. */
  get oldestInHand(): number | undefined {
    return this.#inHand.size === 0 ? undefined : Math.min(...this.#inHand.values());
  }

  /** Resolves after `stop`, when the last job in hand is done. */
  async run(): Promise<void> {
    const { concurrency, untilRoom, world, log, onFatal } = this.#options;
    for (let failures = 0; !this.#isStopping; ) {
      if (this.#inHand.size >= concurrency) {
        await Promise.race(this.#inHand.keys());
        continue;
      }
      try {
        await untilRoom?.();
        if (!this.#isStopping) await this.#take();
        failures = 0;
      } catch (error) {
        this.#idleMs = 0;
        if (!isTransient(error)) onFatal(error);
        failures += 1;
        if (failures === 1) log.warn({ error: describeError(error) }, 'no jobs can be taken now');
        await world.sleep(pauseMs(failures, world));
      }
    }
    await Promise.all(this.#inHand.keys());
  }

  /** Takes no more jobs; those in hand are finished. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#options.queue.stopTaking();
    await Promise.all(this.#inHand.keys());
  }

  async #take(): Promise<void> {
    const { queue, idle, world } = this.#options;
    const idleMsMax = (idle?.seconds ?? Number.POSITIVE_INFINITY) * 1000;
    const wasFree = this.#inHand.size === 0;
    const askedMs = world.now();
    const taken = await queue.take(Math.min(waitMs, idleMsMax - this.#idleMs));
    if (taken) this.#begin(taken);
    this.#idleMs = wasFree && !taken ? this.#idleMs + world.now() - askedMs : 0;
    if (this.#idleMs < idleMsMax) return;
    idle?.leave(Math.round(this.#idleMs / 1000));
    this.#idleMs = 0;
  }

  #begin(taken: TakenJob): void {
    const { world, afterJob } = this.#options;
    const done = this.#see(taken).finally(() => {
      this.#inHand.delete(done);
      afterJob?.();
    });
    this.#inHand.set(done, world.now());
  }

  async #see(taken: TakenJob): Promise<void> {
    const { stage, queue, schema, world, metrics, log } = this.#options;
    const started = world.now();
    metrics.queueWaitSeconds.observe({ queue: stage }, taken.waitedMs / 1000);
    const parsed = schema.safeParse(taken.data);
    if (!parsed.success) {
      log.error({ job: taken.id, error: parsed.error.issues[0]?.message }, wrongVersion);
      await queue.refuse(taken, wrongVersion).catch(() => {});
      return;
    }
    const job = parsed.data;
    return traceJob(taken, job, this.#options, () => this.#handle(taken, job, started));
  }

  async #handle(taken: TakenJob, job: J & { images: unknown[] }, started: number): Promise<void> {
    const { stage, queue, world, metrics, log, onFatal } = this.#options;
    const { run, batch, attempt } = job;
    const part = attemptName(batch, attempt);
    const jobLog = log.child({ run, batch, attempt: describeAttempt(attempt), part });
    metrics.batchImages.observe({ queue: stage }, job.images.length);
    const lock = new JobLock(taken, this.#options);
    try {
      const requireWanted = () => this.#requireWanted(job, lock);
      const { deaths, givenBack } = taken;
      const wasTaken = deaths + givenBack > 0;
      await this.#options.handle(job, { deaths, wasTaken, log: jobLog, requireWanted });
      await queue.finish(taken);
      const durationMs = Math.round(world.now() - started);
      jobLog.info({ images: job.images.length, durationMs }, `${stage} done`);
    } catch (error) {
      try {
        await this.#endFailed(taken, error, jobLog);
      } catch (second) {
        if (second instanceof BrokenWorkerError || !isTransient(second)) onFatal(second);
        // else the lock expires, and another worker takes it.
      }
    } finally {
      lock.release();
    }
  }

  async #endFailed(taken: TakenJob, error: unknown, log: Logger): Promise<void> {
    const { queue, world, onFatal } = this.#options;
    if (error instanceof UnwantedJobError) {
      log.info({ reason: error.message }, 'dropped');
      await queue.finish(taken);
      return;
    }
    let fatal: unknown;
    if (isForUser(error) || error instanceof BrokenWorkerError) fatal = error;
    else if (!isTransient(error)) {
      try {
        this.#breaker.failed(error);
      } catch (broken) {
        fatal = broken;
      }
    }
    if (fatal !== undefined) onFatal(fatal);
    log.warn({ error: describeError(error), tries: taken.givenBack + 1 }, 'will be tried again');
    await queue.giveBack(taken, { delayMs: pauseMs(taken.givenBack + 1, world) });
  }

  async #requireWanted(job: J, lock: JobLock): Promise<void> {
    const [isHeld, lowest] = await Promise.all([lock.isHeld(), this.#options.floor(job)]);
    if (!isHeld) throw new UnwantedJobError('it is in the hand of another, or was withdrawn');
    if (generationOf(job.attempt) < lowest) {
      throw new UnwantedJobError('the run was finished or cancelled');
    }
  }
}

/** The lock of a job in hand, renewed when half of its time is over. */
class JobLock {
  readonly #taken: TakenJob;
  readonly #options: { queue: JobQueue; lockMs: number; world: World };
  readonly #stop = new AbortController();
  /** When it was asked for, the last time that it was given. */
  #askedMs: number;
  #isLost = false;

  constructor(taken: TakenJob, options: { queue: JobQueue; lockMs: number; world: World }) {
    this.#taken = taken;
    this.#options = options;
    this.#askedMs = taken.askedMs;
    void this.#keep();
  }

  /** Asks the queue only where so much time has passed that somebody else could have the job. */
  async isHeld(): Promise<boolean> {
    const { world, lockMs } = this.#options;
    if (world.now() - this.#askedMs > lockMs / 2) await this.#renew();
    return !this.#isLost;
  }

  release(): void {
    this.#stop.abort();
  }

  async #keep(): Promise<void> {
    const { world, lockMs } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await world.sleep(lockMs / 2, signal).catch(() => {});
      // During an outage the lock may expire: `isHeld` finds out.
      if (!signal.aborted) await this.#renew().catch(() => {});
    }
  }

  async #renew(): Promise<void> {
    const { queue, world } = this.#options;
    const askedMs = world.now();
    if (await queue.renew(this.#taken)) this.#askedMs = Math.max(this.#askedMs, askedMs);
    else this.#isLost = true;
  }
}

const wrongVersion =
  'a job is not of this version of Cutline: run "cutline resume" with the version of the workers';
