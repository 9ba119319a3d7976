import { type BatchAttempt, jobId, parseJobId } from '@cutline/shared/run';
import type { World } from '../world.ts';
import type { JobCounts, JobQueue, TakenJob } from './job-queue.ts';

/** Finished jobs that are remembered, so that adding one again changes nothing; as BullMQ's. */
const finishedMax = 100;

interface StoredJob {
  id: string;
  /** JSON: processes share no objects. */
  data: string;
  /** From when on it could be taken first. */
  addedMs: number;
  /** From when on it can be taken now. */
  readyMs: number;
  /** Its turn among those that can be. */
  turn: number;
  deaths: number;
  givenBack: number;
  /** Present while it is in hand. */
  lock?: { token: string; expiresMs: number };
}

/** What all handles on one queue share, as they would share a Redis. */
export class MemoryQueueServer {
  readonly name: string;
  readonly world: World;
  readonly jobs = new Map<string, StoredJob>();
  /** Ids; the oldest are forgotten. */
  readonly finished = new Set<string>();
  readonly refused = new Map<string, string>();
  readonly takers = new Set<object>();
  #turns = 0;
  #waiting = new Set<() => void>();

  constructor(name: string, world: World) {
    this.name = name;
    this.world = world;
  }

  nextTurn(): number {
    this.#turns += 1;
    return this.#turns;
  }

  /** Loses everything, as a Redis does that dies. */
  flush(): void {
    this.jobs.clear();
    this.finished.clear();
    this.refused.clear();
  }

  /** Puts back what was in the hand of workers that show no sign of life. */
  putBackExpired(): void {
    const now = this.world.now();
    for (const job of this.jobs.values()) {
      if (!job.lock || job.lock.expiresMs > now) continue;
      delete job.lock;
      job.deaths += 1;
      job.readyMs = now;
    }
  }

  remember(id: string): void {
    this.finished.delete(id);
    this.finished.add(id);
    for (const oldest of this.finished) {
      if (this.finished.size <= finishedMax) break;
      this.finished.delete(oldest);
    }
  }

  /** Resolves when something was added or given back. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  tell(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const resolve of waiting) resolve();
  }
}

/**
 * A queue in memory: one process's handle on it. For tests and for the simulator; it does at once
 * what it is asked, and who wants outages and delays puts them around it.
 */
export class MemoryQueue<J extends BatchAttempt> implements JobQueue<J> {
  readonly name: string;
  readonly #server: MemoryQueueServer;
  readonly #lockMs: number;
  readonly #stop = new AbortController();

  constructor(server: MemoryQueueServer, { lockMs }: { lockMs: number }) {
    this.name = server.name;
    this.#server = server;
    this.#lockMs = lockMs;
  }

  async add(job: J, { delayMs = 0 }: { delayMs?: number } = {}): Promise<boolean> {
    const server = this.#server;
    const id = jobId(job);
    if (server.jobs.has(id) || server.finished.has(id) || server.refused.has(id)) return false;
    const readyMs = server.world.now() + delayMs;
    server.jobs.set(id, {
      id,
      data: JSON.stringify(job),
      addedMs: readyMs,
      readyMs,
      turn: server.nextTurn(),
      deaths: 0,
      givenBack: 0,
    });
    server.tell();
    return true;
  }

  async take(waitMs: number): Promise<TakenJob | undefined> {
    const { world, takers } = this.#server;
    const { signal } = this.#stop;
    takers.add(this);
    const deadline = world.now() + waitMs;
    for (;;) {
      if (signal.aborted) return undefined;
      const taken = this.#takeNow();
      if (taken || world.now() >= deadline) return taken;
      const next = Math.max(1, Math.min(this.#nextReadyMs(), deadline) - world.now());
      const woken = new AbortController();
      const sleep = world.sleep(next, AbortSignal.any([signal, woken.signal])).catch(() => {});
      await Promise.race([sleep, this.#server.changed()]);
      woken.abort();
    }
  }

  async stopTaking(): Promise<void> {
    this.#stop.abort();
  }

  async renew(taken: TakenJob): Promise<boolean> {
    const job = this.#mine(taken);
    if (!job?.lock) return false;
    job.lock.expiresMs = this.#server.world.now() + this.#lockMs;
    return true;
  }

  async finish(taken: TakenJob): Promise<boolean> {
    if (!this.#mine(taken)) return false;
    this.#server.jobs.delete(taken.id);
    this.#server.remember(taken.id);
    return true;
  }

  async giveBack(taken: TakenJob, { delayMs }: { delayMs: number }): Promise<boolean> {
    const job = this.#mine(taken);
    if (!job) return false;
    delete job.lock;
    job.givenBack += 1;
    job.readyMs = this.#server.world.now() + delayMs;
    job.turn = this.#server.nextTurn();
    this.#server.tell();
    return true;
  }

  async refuse(taken: TakenJob, reason: string): Promise<boolean> {
    if (!this.#mine(taken)) return false;
    this.#server.jobs.delete(taken.id);
    this.#server.refused.set(taken.id, reason);
    return true;
  }

  async live(run?: string): Promise<BatchAttempt[]> {
    this.#server.putBackExpired();
    return [...this.#server.jobs.keys()]
      .flatMap((id) => parseJobId(id) ?? [])
      .filter((attempt) => run === undefined || attempt.run === run);
  }

  async remove(id: string): Promise<boolean> {
    const { jobs, finished, refused } = this.#server;
    this.#server.putBackExpired();
    if (jobs.get(id)?.lock) return false;
    jobs.delete(id);
    finished.delete(id);
    refused.delete(id);
    return true;
  }

  async counts(): Promise<JobCounts> {
    this.#server.putBackExpired();
    const now = this.#server.world.now();
    const jobs = [...this.#server.jobs.values()];
    const free = jobs.filter(({ lock }) => !lock);
    const delayed = free.filter(({ readyMs }) => readyMs > now).length;
    return {
      waiting: free.length - delayed,
      delayed,
      active: jobs.length - free.length,
      failed: this.#server.refused.size,
    };
  }

  async oldestWaiting(): Promise<number | undefined> {
    const now = this.#server.world.now();
    const ready = [...this.#server.jobs.values()].filter((job) => !job.lock && job.readyMs <= now);
    return ready.length === 0 ? undefined : Math.min(...ready.map(({ readyMs }) => readyMs));
  }

  async workers(): Promise<number> {
    return this.#server.takers.size;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#server.takers.delete(this);
  }

  #takeNow(): TakenJob | undefined {
    const { world, jobs } = this.#server;
    this.#server.putBackExpired();
    const now = world.now();
    let first: StoredJob | undefined;
    for (const job of jobs.values()) {
      if (job.lock || job.readyMs > now) continue;
      if (!first || job.turn < first.turn) first = job;
    }
    if (!first) return undefined;
    const { id, data, deaths, givenBack, addedMs } = first;
    const token = world.newId();
    first.lock = { token, expiresMs: now + this.#lockMs };
    return { id, token, data: JSON.parse(data), deaths, givenBack, waitedMs: now - addedMs };
  }

  /** When a job that cannot be taken now can be, at the earliest. */
  #nextReadyMs(): number {
    const times = [...this.#server.jobs.values()].map(({ lock, readyMs }) =>
      lock ? lock.expiresMs : readyMs,
    );
    return Math.min(Number.POSITIVE_INFINITY, ...times);
  }

  /** The job, where its lock is still the one that it was taken with. */
  #mine({ id, token }: TakenJob): StoredJob | undefined {
    this.#server.putBackExpired();
    const job = this.#server.jobs.get(id);
    return job?.lock?.token === token ? job : undefined;
  }
}
