import { type BatchAttempt, jobId } from '@cutline/shared/run';
import type { RunBoard } from '../board/run-board.ts';
import type { JobHandler } from './job-context.ts';

/** Workers that may die of a batch before it is halved to find the image that does it. */
export const lostWorkersMax = 2;

/**
 * A worker has several batches in hand, and when it dies, all of them look alike: nobody knows
 * which one it died of. So a batch that a worker died with is a suspect, and is tried again while
 * nothing else is in hand. Only deaths in such a trial count against it, or an image that kills
 * workers would take those down with it that happened to be near.
 *
 * A trial is noted on the board before it begins, and struck out when it ends, however it does;
 * what stays are the trials that the worker did not survive. The handler gets their number as
 * `deaths`.
 */
export class Suspects {
  readonly #board: RunBoard;
  readonly #stage: string;
  readonly #room = new Room();
  readonly #trials = new Set<string>();

  constructor(board: RunBoard, stage: 'encode' | 'decode') {
    this.#board = board;
    this.#stage = stage;
  }

  /** A handler that tries suspects alone, and lets others in together. */
  tryAlone<J extends BatchAttempt>(handle: JobHandler<J>): JobHandler<J> {
    return (job, context) => {
      if (context.deaths === 0 && !isHalfOfSuspect(job)) {
        return this.#room.together(() => handle(job, context));
      }
      return this.#room.alone(async () => {
        const name = `${this.#stage}:${jobId(job)}`;
        const deaths = await this.#board.beginTrial(name);
        this.#trials.add(name);
        try {
          await handle(job, { ...context, deaths });
        } finally {
          this.#trials.delete(name);
          await this.#board.endTrial(name);
        }
      });
    };
  }

  /** The worker is told to stop: should it be killed before a trial ends, nobody died of that. */
  async pardon(): Promise<void> {
    await Promise.all([...this.#trials].map((name) => this.#board.endTrial(name)));
  }
}

/** One of the two has it, and the other would come to the trial in company. */
function isHalfOfSuspect({ attempt }: BatchAttempt): boolean {
  return /[ab]/.test(attempt);
}

/** Lets in any number together, or one alone, in the order in which they come. */
class Room {
  /** Settles when the last one who wanted to be alone is done. */
  #taken: Promise<unknown> = Promise.resolve();
  readonly #visitors = new Set<Promise<unknown>>();

  together(visit: () => Promise<void>): Promise<void> {
    const done = this.#taken.then(visit);
    const left = done.catch(() => {}).finally(() => this.#visitors.delete(left));
    this.#visitors.add(left);
    return done;
  }

  alone(visit: () => Promise<void>): Promise<void> {
    const done = Promise.all([this.#taken, ...this.#visitors]).then(visit);
    this.#taken = done.catch(() => {});
    return done;
  }
}
