import { jobId } from '@cutline/shared/run';
import type { FeatureStore } from '../features/feature-store.ts';
import { liveAttempts, type Queues } from './queues.ts';

/**
 * Takes the jobs of a run off the queues, and the features that wait for them. What workers have
 * in hand stays with them, and may leave another job behind: whoever wants a run to be gone looks
 * again until nothing is in hand.
 */
export async function withdrawJobs(
  { queues, features }: { queues: Queues; features: FeatureStore },
  run: string,
): Promise<{ withdrawn: number; inHand: number }> {
  let withdrawn = 0;
  const inHand = new Set<string>();
  // Batches go from the first to the second and back: none slips through.
  for (const queue of [queues.encode, queues.decode, queues.encode]) {
    for (const attempt of await liveAttempts(queue, run)) {
      const id = jobId(attempt);
      // A job whose worker died is locked no more, and can be removed like any other.
      if ((await queue.remove(id)) === 0) inHand.add(id);
      else {
        await features.remove(id);
        withdrawn += 1;
      }
    }
  }
  return { withdrawn, inHand: inHand.size };
}
