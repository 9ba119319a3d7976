import type { Metrics, QueueName } from '@cutline/shared/process';
import type { BatchAttempt } from '@cutline/shared/run';
import type { DecodeJob } from '../jobs.ts';
import type { TakenJob } from '../queue/job-queue.ts';
import type { World } from '../world.ts';

/**
 * Runs the work of a job as a span of the trace that the job says, with the time that it waited in
 * the queue beside it; see `traceQueues`.
 */
export function traceJob(
  taken: Pick<TakenJob, 'waitedMs' | 'deaths' | 'givenBack'>,
  job: BatchAttempt & Pick<Partial<DecodeJob>, 'trace'> & { images: unknown[] },
  { stage, metrics, world }: { stage: QueueName; metrics: Metrics; world: World },
  work: () => Promise<void>,
): Promise<void> {
  const { tracing } = metrics;
  if (!tracing.isOn) return work();
  const { run, batch, attempt, trace } = job;
  const attributes = {
    ...{ 'cutline.run': run, 'cutline.batch': batch, 'cutline.attempt': attempt },
    ...{ 'cutline.images': job.images.length, 'cutline.deaths': taken.deaths },
    'cutline.given_back': taken.givenBack,
  };
  const parent = trace?.is === 'parent' ? trace.context : 'none';
  const links = trace?.is === 'link' ? [trace.context] : [];
  const nowMs = world.now();
  const wait = { startMs: nowMs - taken.waitedMs, endMs: nowMs };
  if (parent !== 'none') tracing.note(`wait to ${stage}`, { parent, ...wait });
  const options = { kind: 'consumer' as const, attributes, parent, links };
  return tracing.span(`${stage} batch`, options, () => {
    if (parent === 'none') tracing.note(`wait to ${stage}`, wait);
    return work();
  });
}
