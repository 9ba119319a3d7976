import { describeError } from '@cutline/shared/errors';
import type { Claim, RunState } from '@cutline/shared/run';
import { readRunState } from '@cutline/shared/run';
import { type LockContext, seizedMs, seizeRun } from '../board/run-lock.ts';
import type { FeatureStore } from '../features/feature-store.ts';
import type { Queues } from '../queue/open-queues.ts';
import { withdrawJobs } from '../queue/withdraw-jobs.ts';

/**
 * Cancels a run: claims it, so that all attempts begun before are void, takes it from its producer,
 * and takes its jobs off the queues, and their features away. What workers have in hand they drop
 * when they find out.
 *
 * @param show is told what is waited for.
 * @returns how many jobs were taken off, once none is left and none can follow; undefined where
 *   the run is finished, and there was nothing to cancel.
 */
export async function cancelRun(
  context: LockContext & { queues: Queues; features: FeatureStore },
  show: (waitingFor: { jobsInHand: number }) => void = () => {},
): Promise<number | undefined> {
  const { board, runStore, world, queues } = context;
  const claim = await claimToCancel(context);
  if (!claim) return undefined;
  const { lock, from } = await seizeRun(context);
  try {
    lock.generation = claim.generation;
    await board.raiseFloor(runStore.run, claim.generation);
    const producerStops = from === undefined ? 0 : world.now() + seizedMs;
    for (let all = 0; ; ) {
      await lock.held();
      const hasStopped = world.now() >= producerStops;
      const { withdrawn, inHand } = await withdrawJobs(queues, runStore.run);
      all += withdrawn;
      if (hasStopped && withdrawn + inHand === 0) {
        await removeFeatures(context);
        const { run, model } = await runStore.readRun();
        await board.delist({ run, model });
        return all;
      }
      show({ jobsInHand: inHand });
      await world.sleep(250);
    }
  } finally {
    await lock.release();
  }
}

/** Whoever cancels may have no access to them. */
async function removeFeatures({
  features,
  runStore,
  log,
}: Parameters<typeof cancelRun>[0]): Promise<void> {
  await features.removeAll(`${runStore.run}.`).catch((error: unknown) => {
    log.warn({ error: describeError(error) }, 'features of the run stay until they expire');
  });
}

async function claimToCancel({ runStore, world }: LockContext): Promise<Claim | undefined> {
  for (;;) {
    const state: RunState = await readRunState(runStore);
    if (state.summary) return undefined;
    const claim: Claim = {
      format: 3,
      run: runStore.run,
      generation: state.claims.length,
      kind: 'cancel',
      retry: [],
      owner: `cancel ${world.newId()}`,
      made: new Date(world.now()).toISOString(),
    };
    if (await runStore.createClaim(claim)) return claim;
  }
}
