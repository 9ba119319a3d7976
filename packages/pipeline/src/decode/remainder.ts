import type { ImageRef } from '@cutline/shared/run';
import { countDivisions, type DecodeJob, divide } from '../jobs.ts';
import type { Queues } from '../queue/open-queues.ts';

/**
 * Enqueues the images of a batch whose store was unavailable, as a batch of their own: later, and
 * each time after twice as long.
 *
 * @param delayMs of the first time
 */
export async function enqueueRemainder(
  { encode }: Pick<Queues, 'encode'>,
  job: DecodeJob,
  deferred: ImageRef[],
  delayMs: number,
): Promise<void> {
  const before = countDivisions(job.attempt, 'r');
  await encode.add(divide(job, 'r', deferred), { delayMs: delayMs * 2 ** before });
}
