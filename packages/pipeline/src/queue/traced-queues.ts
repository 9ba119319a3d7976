import type { QueueName, Tracing } from '@cutline/shared/process';
import type { DecodeJob, EncodeJob } from '../jobs.ts';
import type { JobQueue } from './job-queue.ts';
import type { Queues } from './open-queues.ts';

/**
 * Queues whose jobs say which trace they belong to. A batch has a trace of its own, from the listing
 * to its part: who takes the job goes on with it. What a batch is divided into (halves, a remainder,
 * a batch that is encoded again) has traces of its own, with a link to the one it comes from; it may
 * be hours later.
 *
 * @param by who adds: a producer, or a worker of a stage
 */
export function traceQueues(queues: Queues, by: 'producer' | QueueName, tracing: Tracing): Queues {
  if (!tracing.isOn) return queues;
  return {
    encode: traced<EncodeJob>(queues.encode, by === 'producer', tracing),
    decode: traced<DecodeJob>(queues.decode, by !== 'decode', tracing),
  };
}

function traced<J extends EncodeJob | DecodeJob>(
  queue: JobQueue<J>,
  goesOn: boolean,
  tracing: Tracing,
): JobQueue<J> {
  const told = <T>(job: J, add: (job: J) => Promise<T>): Promise<T> => {
    const { run, batch, attempt } = job;
    const attributes = { 'cutline.run': run, 'cutline.batch': batch, 'cutline.attempt': attempt };
    return tracing.span(`enqueue ${queue.name}`, { kind: 'producer', attributes }, () => {
      const context = tracing.current();
      const trace = context && { context, is: goesOn ? ('parent' as const) : ('link' as const) };
      return add(trace ? { ...job, trace } : job);
    });
  };
  return {
    name: queue.name,
    add: (job, options) => told(job, (each) => queue.add(each, options)),
    addNew: (job, options) => told(job, (each) => queue.addNew(each, options)),
    take: (waitMs) => queue.take(waitMs),
    stopTaking: () => queue.stopTaking(),
    renew: (job) => queue.renew(job),
    finish: (job) => queue.finish(job),
    giveBack: (job, options) => queue.giveBack(job, options),
    refuse: (job, reason) => queue.refuse(job, reason),
    live: (run) => queue.live(run),
    remove: (id) => queue.remove(id),
    counts: () => queue.counts(),
    oldestWaiting: () => queue.oldestWaiting(),
    workers: () => queue.workers(),
    close: () => queue.close(),
  };
}
