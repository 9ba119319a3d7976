import type { JobJson, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { World } from '../world.ts';
import { loadBullMQ } from './bullmq-load.ts';
import type { TakenJob } from './job-queue.ts';

/**
 * The taking side of a queue on BullMQ: a `Worker` without a processor. It lends its second
 * connection, which blocks until there is a job, and puts the jobs of dead workers back.
 *
 * BullMQ's own `getNextJob` waits for as long as it likes, and swallows what goes wrong meanwhile;
 * so the two steps under it are called here. *Move* makes the next job active in one script, or
 * says when the next delayed one is due. *Wait* blocks until a marker says that there may be a job:
 * markers wake one worker each, and a job whose marker was lost is found by the next move.
 */
export class BullTaker {
  readonly #worker: Worker;
  readonly #world: World;
  readonly #lockMs: number;
  #stopped = false;
  /** Ends the wait, or cuts the move short, that is going on. */
  #interrupt: { wait?: () => void; move?: () => void } = {};

  constructor(options: {
    name: string;
    prefix: string;
    redis: Redis;
    lockMs: number;
    world: World;
  }) {
    this.#world = options.world;
    this.#lockMs = options.lockMs;
    const { Worker } = loadBullMQ();
    this.#worker = new Worker(options.name, null, {
      connection: options.redis,
      prefix: options.prefix,
      lockDuration: options.lockMs,
      stalledInterval: options.lockMs,
      // Batches that workers die on are divided by the worker, never failed as a whole.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      autorun: false,
    });
    // It recovers by itself, and `take` tells of what it meets.
    this.#worker.on('error', () => {});
    void this.#worker.startStalledCheckTimer();
  }

  async take(waitMs: number): Promise<TakenJob | undefined> {
    const deadlineMs = this.#world.now() + waitMs;
    while (!this.#stopped) {
      const { taken, nextDueMs } = await this.#move();
      if (taken) return taken;
      const untilMs = Math.min(deadlineMs, nextDueMs);
      if (this.#stopped || this.#world.now() >= deadlineMs) break;
      const woken = await this.#wait(untilMs - this.#world.now());
      if (!woken && this.#world.now() >= deadlineMs) break;
    }
    return undefined;
  }

  /** A move that is under way is waited for: the job that it takes must not be lost. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#interrupt.wait?.();
    this.#interrupt.move?.();
    await this.#worker.close(true);
  }

  async #move(): Promise<{ taken?: TakenJob; nextDueMs: number }> {
    const token = this.#world.newId();
    const askedMs = this.#world.now();
    const answered = new AbortController();
    const moving = this.#worker.getBackend().moveToActive(token);
    const answer = await new Promise<unknown[]>((resolve, reject) => {
      // Where Redis does not answer, a job that it may have moved is nobody's after `lockMs`.
      this.#interrupt.move = () => {
        this.#world.sleep(this.#lockMs, answered.signal).then(
          () => resolve([]),
          () => {}, // answered
        );
      };
      moving.then(resolve, reject);
    }).finally(() => {
      this.#interrupt = {};
      answered.abort();
    });
    const [job, id, , nextDueMs] = answer as [JobJson | null, string, number, number] | [];
    if (!job) return { nextDueMs: nextDueMs || Number.POSITIVE_INFINITY };
    return { taken: this.#taken(job, { id: String(id), token, askedMs }), nextDueMs: 0 };
  }

  #taken(job: JobJson, asked: Pick<TakenJob, 'id' | 'token' | 'askedMs'>): TakenJob {
    const deaths = job.stalledCounter;
    const readyMs = job.timestamp + (job.opts.delay ?? 0);
    return {
      ...asked,
      data: JSON.parse(job.data),
      deaths,
      // Each time it was taken before has ended in the one or the other.
      givenBack: job.attemptsStarted - 1 - deaths,
      waitedMs: Math.max(0, this.#world.now() - readyMs),
    };
  }

  /** @returns whether there may be a job: false after that time, and when stopped. */
  async #wait(ms: number): Promise<boolean> {
    const backend = this.#worker.getBackend();
    // Zero would block for ever.
    const seconds = Math.min(
      Math.max(ms / 1000, backend.minimumBlockTimeout),
      backend.maximumBlockTimeout,
    );
    try {
      return await new Promise<boolean>((resolve, reject) => {
        this.#interrupt.wait = () => resolve(false);
        backend.waitForJob(seconds).then((marker) => resolve(marker !== null), reject);
      });
    } catch (error) {
      // A connection that was given up while it blocked is not renewed by itself.
      if (!this.#stopped) backend.reconnectBlocking().catch(() => {});
      throw error;
    } finally {
      this.#interrupt = {};
    }
  }
}
