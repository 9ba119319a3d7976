import type { QueueName } from '@cutline/shared/process';
import { type BatchAttempt, jobId, parseJobId } from '@cutline/shared/run';
import type { World } from '../world.ts';
import type { JobCounts, JobQueue, QueuedBatch, TakenJob } from './job-queue.ts';
import { type DoneMax, MemoryJobs } from './memory-jobs.ts';
import { queueName } from './queue-name.ts';

/**
 * The queue in memory, for tests and for the simulator. Every handle that `open` gives is a process
 * of its own: it shares jobs with the others of the same stage and model, and nothing else.
 *
 * All time is the world's, and what falls due does so when somebody looks. An operation happens
 * whole, at the moment of its call: what comes between an operation and its answer (a crash, an
 * hour of sleep) is for the simulator to put around it. The same calls give the same answers.
 */
export class MemoryQueueServer {
  readonly #queues = new Map<string, MemoryJobs>();
  readonly #doneMax: DoneMax;

  /** @param doneMax jobs that are remembered when they are done. Default: as many as BullMQ's. */
  constructor({ doneMax = { completed: 100, failed: 1000 } }: { doneMax?: DoneMax } = {}) {
    this.#doneMax = doneMax;
  }

  open<J extends QueuedBatch>(options: {
    stage: QueueName;
    /** `<name>@<hash>` */
    model: string;
    /** After this long without `renew`, a job goes to another worker. */
    lockMs: number;
    world: World;
  }): JobQueue<J> {
    const name = queueName(options.stage, options.model);
    let jobs = this.#queues.get(name);
    if (!jobs) {
      jobs = new MemoryJobs(this.#doneMax);
      this.#queues.set(name, jobs);
    }
    return new MemoryQueue<J>(name, jobs, options);
  }

  /** Forgets every job, as a Redis that lost its memory would; connections stay. */
  flush(): void {
    for (const jobs of this.#queues.values()) jobs.clear();
  }
}

class MemoryQueue<J extends QueuedBatch> implements JobQueue<J> {
  readonly name: string;
  readonly #jobs: MemoryJobs;
  readonly #world: World;
  readonly #lockMs: number;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(name: string, jobs: MemoryJobs, { world, lockMs }: { world: World; lockMs: number }) {
    this.name = name;
    this.#jobs = jobs;
    this.#world = world;
    this.#lockMs = lockMs;
  }

  async add(job: J, options: { delayMs?: number } = {}): Promise<void> {
    await this.addNew(job, options);
  }

  async addNew(job: J, { delayMs = 0 }: { delayMs?: number } = {}): Promise<boolean> {
    const data = JSON.stringify(job);
    const { priority } = job;
    return this.#jobs.add(jobId(job), { data, priority, delayMs, nowMs: this.#world.now() });
  }

  async take(waitMs: number): Promise<TakenJob | undefined> {
    const deadlineMs = this.#world.now() + waitMs;
    if (!this.#stopped) this.#jobs.takers.add(this);
    while (!this.#stopped) {
      const nowMs = this.#world.now();
      const token = this.#world.newId();
      const taken = this.#jobs.take({ token, lockMs: this.#lockMs, nowMs });
      if (taken || nowMs >= deadlineMs) return taken;
      await this.#wait(Math.min(deadlineMs, this.#jobs.nextDueMs()) - nowMs);
    }
    return undefined;
  }

  async stopTaking(): Promise<void> {
    this.#stopped = true;
    this.#jobs.takers.delete(this);
    this.#wake?.();
  }

  async renew(job: TakenJob): Promise<boolean> {
    return this.#jobs.renew(job, { lockMs: this.#lockMs, nowMs: this.#world.now() });
  }

  async finish(job: TakenJob): Promise<boolean> {
    return this.#jobs.end(job, { state: 'completed', nowMs: this.#world.now() });
  }

  async giveBack(job: TakenJob, { delayMs }: { delayMs: number }): Promise<boolean> {
    return this.#jobs.giveBack(job, { delayMs, nowMs: this.#world.now() });
  }

  async refuse(job: TakenJob, reason: string): Promise<boolean> {
    return this.#jobs.end(job, { state: 'failed', reason, nowMs: this.#world.now() });
  }

  async live(run?: string): Promise<BatchAttempt[]> {
    return this.#jobs
      .live(this.#world.now())
      .map(parseJobId)
      .filter((attempt) => attempt !== undefined)
      .filter((attempt) => run === undefined || attempt.run === run);
  }

  async remove(id: string): Promise<boolean> {
    return this.#jobs.remove(id, this.#world.now());
  }

  async counts(): Promise<JobCounts> {
    return this.#jobs.counts(this.#world.now());
  }

  async oldestWaiting(): Promise<number | undefined> {
    return this.#jobs.oldestWaiting(this.#world.now());
  }

  async workers(): Promise<number> {
    return this.#jobs.takers.size;
  }

  close(): Promise<void> {
    return this.stopTaking();
  }

  /** Until that time has passed, there may be a job, or `stopTaking` is called. */
  async #wait(ms: number): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#wake = wake;
    this.#jobs.waiters.add(wake);
    try {
      await this.#world.sleep(ms, woken.signal);
    } catch (error) {
      if (!woken.signal.aborted) throw error;
    } finally {
      this.#jobs.waiters.delete(wake);
      this.#wake = undefined;
    }
  }
}
