import { jobId } from '@cutline/shared/run';
import type { Queues } from './open-queues.ts';

/**
 * Takes the jobs of a run off the queues. What workers have in hand stays with them until they
 * find that nobody wants it, and may leave another job behind: whoever wants a run to be gone looks
 * again until nothing is in hand. Then features that waited for the jobs can go.
 */
export async function withdrawJobs(
  queues: Queues,
  run: string,
): Promise<{ withdrawn: number; inHand: number }> {
  let withdrawn = 0;
  const inHand = new Set<string>();
  // Batches go from the first to the second and back: none slips through.
  for (const queue of [queues.encode, queues.decode, queues.encode]) {
    for (const attempt of await queue.live(run)) {
      const id = jobId(attempt);
      if (await queue.remove(id)) withdrawn += 1;
      else inHand.add(id);
    }
  }
  return { withdrawn, inHand: inHand.size };
}
