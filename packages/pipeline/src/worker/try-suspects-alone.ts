import type { QueueName } from '@cutline/shared/process';
import { type BatchAttempt, jobId } from '@cutline/shared/run';
import type { Redis } from 'ioredis';
import type { JobHandler } from '../queue/queues.ts';

/**
 * A worker has several batches in hand, and when it dies, all of them look alike: nobody knows
 * which one it died of. So a batch that a worker died with is a suspect, and is tried again while
 * nothing else is in hand. Only deaths in such a trial count against it, or an image that kills
 * workers would take those down with it that happened to be near.
 *
 * A trial is noted in Redis before it begins, and struck out when it ends, however it does; what
 * stays are the trials that the worker did not survive. The handler gets their number as
 * `lostWorkers`.
 */
export function trySuspectsAlone<J extends BatchAttempt>(
  handle: JobHandler<J>,
  { redis, queue }: { redis: Redis; queue: QueueName },
): JobHandler<J> {
  const room = new Room();
  return (job, context) => {
    if (context.lostWorkers === 0 && !isHalfOfSuspect(job)) {
      return room.together(() => handle(job, context));
    }
    return room.alone(async () => {
      const key = `cutline:trials:${queue}:${jobId(job)}`;
      const begun = await redis.incr(key);
      await redis.expire(key, ttlSeconds);
      try {
        await handle(job, { ...context, lostWorkers: begun - 1 });
      } finally {
        await redis.del(key);
      }
    });
  };
}

/** Longer than a batch waits between two workers. */
const ttlSeconds = 7 * 24 * 3600;

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
