import type { RunProgress } from './run-progress.ts';

/**
 * What the processes of a run tell each other while it goes on: who produces it, which attempts
 * are still wanted, how far it is, and which batches workers died on. All of it may be lost at any
 * time: the output store holds the truth, and what is lost here costs work done twice, never an
 * image. On Redis, and in memory for tests and for the simulator; one contract suite holds both.
 */
export interface RunBoard {
  /**
   * Takes the lock of a run, or keeps it: for its owner it is renewed.
   * @returns the owner, where it is another's; undefined where the lock is now ours.
   */
  lock(run: string, owner: string, ttlMs: number): Promise<string | undefined>;

  /** Takes the lock from whoever has it. @returns who that was. */
  seize(run: string, owner: string, ttlMs: number): Promise<string | undefined>;

  /** Gives the lock back, if it is the owner's. */
  release(run: string, owner: string): Promise<void>;

  /** Who holds the lock. */
  owner(run: string): Promise<string | undefined>;

  /**
   * The lowest generation of attempts that the run still wants; undefined where nobody knows (any
   * more), and the output store has to be asked.
   */
  floor(run: string): Promise<number | undefined>;

  /** Never lowers it. */
  raiseFloor(run: string, floor: number): Promise<void>;

  /**
   * Adds counts once per step, however often it is repeated.
   * @param step names the work: `encode:<batch>.<attempt>` or `part:<batch>.<attempt>`
   * @returns whether the step was new.
   */
  count(run: string, step: string, counts: Counts): Promise<boolean>;

  /** Sets counters to what the producer counted itself. */
  setProgress(run: string, counts: Counts): Promise<void>;

  /**
   * Sets counters to what the summary says, and forgets the steps: what is kept of a finished run
   * does not depend on its size.
   */
  endProgress(run: string, counts: Counts): Promise<void>;

  /** Forgets all counters and steps. */
  resetProgress(run: string): Promise<void>;

  /**
   * Milliseconds since the last new step was counted that had something to count; undefined where
   * none was since the progress was reset.
   */
  idleMs(run: string): Promise<number | undefined>;

  /** Enters a run among those that people watch, as the latest. */
  enlist(run: EnlistedRun): Promise<void>;

  /** Strikes it out: nobody waits for it any more. */
  delist(run: EnlistedRun): Promise<void>;

  /** The latest `runsEnlistedMax` of them, the latest first. */
  enlisted(): Promise<EnlistedRun[]>;

  /** undefined where nothing is known of the run (any more). */
  progress(run: string): Promise<RunProgress | undefined>;

  /**
   * Notes that a suspect is about to be tried alone (see `trySuspectsAlone`).
   * @returns how many trials of it were begun and not ended, this one not counted.
   */
  beginTrial(name: string): Promise<number>;

  /** Strikes out all trials of a suspect: the worker survived. */
  endTrial(name: string): Promise<void>;
}

/** Counters and their values: `captioned`, `failed:<class>` and what else `RunProgress` names. */
export type Counts = Partial<Record<string, number>>;

export interface EnlistedRun {
  run: string;
  /** Id of its model. */
  model: string;
}

/** As many runs are remembered for people who watch; the oldest give way. */
export const runsEnlistedMax = 50;

/** How long the floor and the progress of a run are kept that nobody touches any more. */
export const boardTtlMs = 30 * 24 * 3_600_000;

/** How long trials are: longer than a batch waits between two workers. */
export const trialTtlMs = 7 * 24 * 3_600_000;
