import type { Logger } from '@cutline/shared/process';

/** What a stage does with a job. */
export type JobHandler<J> = (job: J, context: JobContext) => Promise<void>;

export interface JobContext {
  /** Workers that died holding the job: see `trySuspectsAlone`. */
  deaths: number;
  /** It was in somebody's hand before, who may have left something behind. */
  wasTaken: boolean;
  log: Logger;
  /**
   * To be awaited before whatever has an effect on others: a process may have slept for an hour
   * since it took the job, and somebody else may have it now, or the run may be over.
   * @throws UnwantedJobError where the job is not this worker's any more, or the run not interested
   */
  requireWanted(): Promise<void>;
}

/** Nobody waits for what would come of the job: it is dropped. */
export class UnwantedJobError extends Error {
  override readonly name = 'UnwantedJobError';
}

/** The worker itself seems to be broken: it stops, rather than to call images bad. */
export class BrokenWorkerError extends Error {
  override readonly name = 'BrokenWorkerError';
}
