import type { BatchAttempt, Priority } from '@cutline/shared/run';

/**
 * A queue of batches, as the pipeline sees it. Delivery is at least once: a job whose worker shows
 * no sign of life for the length of its lock is given to another. Two implementations stand behind
 * it: BullMQ on Redis, and memory, for tests and for the simulator. One contract suite holds both.
 *
 * A job is *waiting*, *delayed* (waiting from a later time on), *in hand* (taken, and its lock
 * renewed), or gone. Its id is derived from run, batch and attempt (`jobId`), so that adding it
 * twice adds it once, as long as the first is there or was finished a little while ago.
 *
 * Every operation rejects with what the connection throws, which is transient; what it was to do
 * may have been done nevertheless.
 */
export interface JobQueue<J extends QueuedBatch = QueuedBatch> {
  /** `cutline-encode-<hash of the model>`, or `-decode-`. */
  readonly name: string;

  /**
   * Adds a job under its derived id. Where there is one of that id already (waiting, delayed, in
   * hand, or among the finished ones that are still remembered), nothing changes.
   */
  add(job: J, options?: { delayMs?: number }): Promise<void>;

  /** As `add`, at a higher price. @returns false where there was a job of that id already. */
  addNew(job: J, options?: { delayMs?: number }): Promise<boolean>;

  /**
   * Takes the job that has waited longest, and locks it; those of high priority first, in any
   * order, unless they were delayed; those of low priority where no other waits.
   * @param waitMs how long to wait for one. Never called again before it has settled.
   * @returns undefined where none came, or `stopTaking` was called.
   */
  take(waitMs: number): Promise<TakenJob | undefined>;

  /** From now on, `take` gives nothing. One that waits settles at once. */
  stopTaking(): Promise<void>;

  /**
   * Keeps the lock for another `lockMs`.
   * @returns false where the job is no longer this worker's: somebody else has it, it was finished,
   *   removed or forgotten. Whatever the worker still does with it must have no effect.
   */
  renew(job: TakenJob): Promise<boolean>;

  /** Ends a job that is done. @returns false where it is no longer this worker's, as `renew`. */
  finish(job: TakenJob): Promise<boolean>;

  /** Gives a job back, to be taken again after a delay. @returns as `renew` */
  giveBack(job: TakenJob, options: { delayMs: number }): Promise<boolean>;

  /** Puts a job aside that nobody can work on, with the reason, to look at. @returns as `renew` */
  refuse(job: TakenJob, reason: string): Promise<boolean>;

  /** The attempts that jobs hold which are waiting, delayed or in hand; of one run, or of all. */
  live(run?: string): Promise<BatchAttempt[]>;

  /**
   * Takes a job off the queue that is waiting or delayed; finished ones are forgotten.
   * @returns false where it is in hand: then nothing has changed.
   */
  remove(id: string): Promise<boolean>;

  counts(): Promise<JobCounts>;

  /** When the job was added that is taken next, in ms since 1970; undefined where none waits. */
  oldestWaiting(): Promise<number | undefined>;

  /** Workers that are connected to take jobs. */
  workers(): Promise<number>;

  /** Disconnects. Jobs in hand stay so until their locks expire. */
  close(): Promise<void>;
}

/** What a queue knows of a job. */
export interface QueuedBatch extends BatchAttempt {
  /** Absent: normal. */
  priority?: Exclude<Priority, 'normal'> | undefined;
}

export interface JobCounts {
  waiting: number;
  delayed: number;
  /** In hand. */
  active: number;
  /** Refused. */
  failed: number;
}

/** A job in a worker's hand. */
export interface TakenJob {
  id: string;
  /** Proves that it was this worker who took it, this time. */
  token: string;
  /** As it was added, by whatever version: parse it. */
  data: unknown;
  /** When it was asked for, in ms since 1970: its lock holds from then on for `lockMs`, at least. */
  askedMs: number;
  /** Workers that had it before and showed no sign of life any more. */
  deaths: number;
  /** Times it was given back before. */
  givenBack: number;
  /** Between when it could have been taken first and now, in ms. */
  waitedMs: number;
}
