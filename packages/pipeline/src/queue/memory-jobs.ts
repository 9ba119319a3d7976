import type { JobCounts, QueuedBatch, TakenJob } from './job-queue.ts';

/**
 * The jobs of a queue in memory, and their life:
 *
 *   delayed ── due ──► waiting ── take ──► active ── finish ──► completed (the last few)
 *      ▲                  ▲                │ │ └──── refuse ──► failed    (the last few)
 *      └──────────────────┼── give back ───┘ │
 *                         └── lock expires ──┘
 *
 * What falls due does so at the next operation, by the time that it comes with.
 */
interface Job {
  id: string;
  /** As JSON: processes share no objects. */
  data: string;
  priority: QueuedBatch['priority'];
  state: 'waiting' | 'delayed' | 'active' | 'completed' | 'failed';
  addedMs: number;
  /** When it could be taken first. */
  readyMs: number;
  /** When it could, or can, be taken this time; jobs are taken in this order. */
  dueMs: number;
  /** Decides between jobs that fell due at once: the smaller one is taken first. */
  order: number;
  /** While it is active. */
  lock?: { token: string; expiresMs: number };
  deaths: number;
  givenBack: number;
  /** Why it was refused. */
  reason?: string;
}

/** How many jobs are remembered that are done, so that they are not added again. */
export interface DoneMax {
  completed: number;
  failed: number;
}

interface Added extends Pick<Job, 'data' | 'priority'> {
  delayMs: number;
  nowMs: number;
}

export class MemoryJobs {
  /** Called, all of them, when there may be a job to take. */
  readonly waiters = new Set<() => void>();
  /** Whoever is connected to take jobs. */
  readonly takers = new Set<unknown>();
  readonly #jobs = new Map<string, Job>();
  readonly #doneMax: DoneMax;
  #order = 0;

  constructor(doneMax: DoneMax) {
    this.#doneMax = doneMax;
  }

  add(id: string, { data, priority, delayMs, nowMs }: Added): boolean {
    if (this.#jobs.has(id)) return false;
    const readyMs = nowMs + Math.max(0, delayMs);
    const dueMs = priority === 'high' && delayMs <= 0 ? Number.NEGATIVE_INFINITY : readyMs;
    const job = { id, data, priority, addedMs: nowMs, readyMs, deaths: 0, givenBack: 0 };
    this.#jobs.set(id, { ...job, state: 'delayed', dueMs, order: this.#order++ });
    this.#wakeAll();
    return true;
  }

  take({ token, lockMs, nowMs }: { token: string; lockMs: number; nowMs: number }) {
    this.#settle(nowMs);
    const job = this.#first();
    if (!job) return undefined;
    job.state = 'active';
    job.lock = { token, expiresMs: nowMs + lockMs };
    const { id, deaths, givenBack } = job;
    const waitedMs = Math.max(0, nowMs - job.readyMs);
    const taken: TakenJob = {
      id,
      token,
      data: JSON.parse(job.data),
      askedMs: nowMs,
      deaths,
      givenBack,
      waitedMs,
    };
    return taken;
  }

  renew(taken: TakenJob, { lockMs, nowMs }: { lockMs: number; nowMs: number }): boolean {
    const job = this.#held(taken, nowMs);
    if (job) job.lock = { token: taken.token, expiresMs: nowMs + lockMs };
    return job !== undefined;
  }

  giveBack(taken: TakenJob, { delayMs, nowMs }: { delayMs: number; nowMs: number }): boolean {
    const job = this.#held(taken, nowMs);
    if (!job) return false;
    job.givenBack += 1;
    job.state = 'delayed';
    job.dueMs = nowMs + Math.max(0, delayMs);
    job.order = this.#order++;
    delete job.lock;
    this.#wakeAll();
    return true;
  }

  /** Finished or refused, it stays in memory for a while, so that it is not added again. */
  end(
    taken: TakenJob,
    { state, reason, nowMs }: { state: 'completed' | 'failed'; reason?: string; nowMs: number },
  ): boolean {
    const job = this.#held(taken, nowMs);
    if (!job) return false;
    // Put at the end of the map: the first of its state there is then the one that ended first.
    this.#jobs.delete(job.id);
    this.#jobs.set(job.id, job);
    job.state = state;
    if (reason !== undefined) job.reason = reason;
    delete job.lock;
    const ended = [...this.#jobs.values()].filter((other) => other.state === state);
    const forgotten = ended.slice(0, Math.max(0, ended.length - this.#doneMax[state]));
    for (const { id } of forgotten) this.#jobs.delete(id);
    return true;
  }

  remove(id: string, nowMs: number): boolean {
    this.#settle(nowMs);
    if (this.#jobs.get(id)?.state === 'active') return false;
    this.#jobs.delete(id);
    return true;
  }

  clear(): void {
    this.#jobs.clear();
  }

  live(nowMs: number): string[] {
    this.#settle(nowMs);
    return [...this.#jobs.values()]
      .filter(({ state }) => state === 'waiting' || state === 'delayed' || state === 'active')
      .map(({ id }) => id);
  }

  counts(nowMs: number): JobCounts {
    this.#settle(nowMs);
    const counts = { waiting: 0, delayed: 0, active: 0, failed: 0 };
    for (const { state } of this.#jobs.values()) if (state !== 'completed') counts[state] += 1;
    return counts;
  }

  oldestWaiting(nowMs: number): number | undefined {
    this.#settle(nowMs);
    return this.#first()?.addedMs;
  }

  /** When a job falls due that nobody can take yet: a delayed one, or one whose worker may die. */
  nextDueMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { state, dueMs, lock } of this.#jobs.values()) {
      if (state === 'delayed') nextMs = Math.min(nextMs, dueMs);
      if (lock) nextMs = Math.min(nextMs, lock.expiresMs);
    }
    return nextMs;
  }

  #settle(nowMs: number): void {
    for (const job of this.#jobs.values()) {
      if (job.state === 'delayed' && job.dueMs <= nowMs) job.state = 'waiting';
      if (job.lock && job.lock.expiresMs <= nowMs) {
        job.state = 'waiting';
        job.deaths += 1;
        delete job.lock;
      }
    }
  }

  #first(): Job | undefined {
    let first: Job | undefined;
    for (const job of this.#jobs.values()) {
      if (job.state !== 'waiting') continue;
      if (!first || isBefore(job, first)) first = job;
    }
    return first;
  }

  /** The job, where it is still this worker's. */
  #held({ id, token }: TakenJob, nowMs: number): Job | undefined {
    this.#settle(nowMs);
    const job = this.#jobs.get(id);
    return job?.lock?.token === token ? job : undefined;
  }

  #wakeAll(): void {
    for (const wake of [...this.waiters]) wake();
  }
}

/** Whether it is taken before the other. */
function isBefore(job: Job, other: Job): boolean {
  const [isLow, otherIsLow] = [job.priority === 'low', other.priority === 'low'];
  if (isLow !== otherIsLow) return otherIsLow;
  if (job.dueMs !== other.dueMs) return job.dueMs < other.dueMs;
  return job.order < other.order;
}
