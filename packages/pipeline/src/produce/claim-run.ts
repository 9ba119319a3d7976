import { isDeepStrictEqual } from 'node:util';
import { type RetryClass, UserError } from '@cutline/shared/errors';
import type { Run, RunState, RunStore, Summary } from '@cutline/shared/run';
import { type Claim, countToRetry, listingGeneration, readRunState } from '@cutline/shared/run';
import { type LockContext, lockRun, type RunLock, superseded } from '../board/run-lock.ts';

/** A run that is ours to produce: its lock is held, and it is claimed. */
export interface ClaimedRun {
  lock: RunLock;
  claim: Claim;
  /** As it was found once it was claimed, with our claim in it. */
  state: RunState;
}

/**
 * Begins a run.
 * @throws UserError where there is a run of that name, also one that began this moment; and for a
 *   deadline that has passed already.
 */
export async function beginRun(context: LockContext, run: Run): Promise<ClaimedRun> {
  const { runStore } = context;
  if (await runStore.exists()) throw taken(runStore);
  requireTime(run);
  const lock = await lockRun(context);
  return releaseOnError(lock, async () => {
    if (!(await runStore.createRun(run))) throw taken(runStore);
    return claimRun(context, lock, { generation: 0 });
  });
}

/** Of a run that is begun now; one that is gone on with may be late. */
function requireTime({ deadline, created }: Run): void {
  if (deadline === undefined || Date.parse(deadline) > Date.parse(created)) return;
  throw new UserError(
    `--deadline ${toMinute(deadline)} has passed: it is ${toMinute(created)}. Give a time that is ` +
      'to come, or none.',
  );
}

/** `2026-12-01 06:00 UTC`, of ISO 8601 in UTC. */
const toMinute = (time: string) => `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;

/**
 * Begins a run, or goes on with it where it was begun before: for a producer that something starts
 * again, with the same flags, whenever it ended too soon.
 *
 * @throws UserError where the run of that name is another one, or was cancelled.
 */
export async function beginOrGoOn(
  context: LockContext,
  run: Run,
): Promise<ClaimedRun | { finished: Summary }> {
  const { runStore } = context;
  if (!(await runStore.exists())) {
    const lock = await lockRun(context);
    const begun = await releaseOnError(lock, async () =>
      (await runStore.createRun(run)) ? claimRun(context, lock, { generation: 0 }) : undefined,
    );
    if (begun) return begun;
    // Another process was there first; or this one, by a request whose answer was lost.
    await lock.release();
  }
  const before = await readRunState(runStore);
  if (!isSameRequest(before.run, run)) throw taken(runStore);
  requireWanted(before);
  return resumeRun(context, { mayGoOn: requireWanted });
}

/** It goes on where it ended by itself; who cancelled it wants that it stays so. */
function requireWanted({ run: { run }, isCancelled }: RunState): void {
  if (!isCancelled) return;
  throw new UserError(`Run "${run}" was cancelled. To go on with it: cutline resume ${run}`);
}

/** Whenever they were made, and by whichever version. */
function isSameRequest(one: Run, other: Run): boolean {
  const request = ({ created: _, cutline: __, ...asked }: Run) => JSON.parse(JSON.stringify(asked));
  return isDeepStrictEqual(request(one), request(other));
}

/**
 * Goes on with a run: whatever has no row is enqueued, and failures of the classes in `retry`.
 * @param mayGoOn throws where the run, as it is once its lock is held, is not to go on
 * @returns the summary, and nothing is touched, where there is nothing to do.
 */
export async function resumeRun(
  context: LockContext,
  {
    retry = [],
    compact = false,
    mayGoOn = () => {},
  }: { retry?: readonly RetryClass[]; compact?: boolean; mayGoOn?: (state: RunState) => void },
): Promise<ClaimedRun | { finished: Summary }> {
  const nothingToDo = ({ summary }: RunState) =>
    summary && !(compact && summary.parts > 0) && countToRetry(summary, retry) === 0
      ? summary
      : undefined;
  const before = nothingToDo(await readRunState(context.runStore));
  if (before) return { finished: before };
  const lock = await lockRun(context);
  return releaseOnError(lock, async () => {
    // Whoever had the lock before may have finished it.
    const state = await readRunState(context.runStore);
    const finished = nothingToDo(state);
    if (finished) {
      await lock.release();
      return { finished };
    }
    mayGoOn(state);
    if (retry.length > 0 && !state.summary) {
      throw new UserError(
        `Run "${state.run.run}" is not finished: retry when it is ` +
          `(cutline resume ${state.run.run}).`,
      );
    }
    return claimRun(context, lock, { generation: state.claims.length, retry });
  });
}

/**
 * Makes the next claim of a run, and then looks at how far the run is: it may have gone on, or have
 * been finished, since anybody looked before.
 *
 * @param generation that follows those which are known: what was decided was decided by them
 * @throws UserError where another process has claimed the run since
 */
export async function claimRun(
  { runStore, world }: LockContext,
  lock: RunLock,
  { generation, retry = [] }: { generation: number; retry?: readonly RetryClass[] },
): Promise<ClaimedRun> {
  await lock.held();
  const claim: Claim = {
    format: 3,
    run: runStore.run,
    generation,
    kind: 'produce',
    retry: [...retry],
    owner: lock.owner,
    made: new Date(world.now()).toISOString(),
  };
  if (!(await runStore.createClaim(claim))) throw superseded(runStore.run);
  lock.generation = generation;
  const state = await readRunState(runStore);
  if (state.claims.length !== generation + 1) throw superseded(runStore.run);
  if (state.manifest.images !== null || generation === 0) return { lock, claim, state };
  const takeover = { chunks: state.manifest.chunks, follows: listingGeneration(state.claims) };
  if (!(await runStore.createTakeover(generation, takeover))) throw superseded(runStore.run);
  const claims = [...state.claims.slice(0, generation), { ...claim, takeover }];
  return { lock, claim, state: { ...state, claims } };
}

async function releaseOnError<T>(lock: RunLock, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function taken(runStore: RunStore): UserError {
  return new UserError(
    `There is a run "${runStore.run}" already at ${runStore.url}. Choose another --run, or go on ` +
      `with it: cutline resume ${runStore.run}`,
  );
}
