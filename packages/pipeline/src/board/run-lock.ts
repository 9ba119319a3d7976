import { hostname } from 'node:os';
import { isTransient, UserError } from '@cutline/shared/errors';
import type { Logger } from '@cutline/shared/process';
import type { RunStore } from '@cutline/shared/run';
import { patiently } from '../patience.ts';
import type { World } from '../world.ts';
import type { RunBoard } from './run-board.ts';

/**
 * One producer a run: two would enqueue the same images under different attempts. The lock on the
 * board says who is alive and keeps others waiting; what makes it safe is the claim in the output
 * store (claim.ts): a process that slept through the end of its lock finds there whether somebody
 * claimed the run meanwhile.
 */
export interface RunLock {
  /** For the claims that are made under the lock. */
  readonly owner: string;
  /** Rejects with a UserError when another process has the run. Never resolves. */
  readonly lost: Promise<never>;
  /** The claim that it stands for, once there is one: older ones are void. */
  generation: number | undefined;
  /**
   * To be awaited before whatever has an effect on others.
   * @throws UserError when another process has the run, or had it while this one slept.
   */
  held(): Promise<void>;
  /** Never fails: what is not released expires. */
  release(): Promise<void>;
}

export interface LockContext {
  board: RunBoard;
  runStore: RunStore;
  world: World;
  log: Logger;
}

const what = 'the lock of the run';

/** A process that died gives its run free after this long. */
const ttlMs = 15_000;

/** How often a process says that it lives, and learns whether another took its run. */
const lookMs = 1_500;

/** How long a producer whose run was seized may take to notice. */
export const seizedMs = 3 * lookMs;

/** Stands before the name of an owner that cancels. */
const cancels = 'cancelled by ';

/**
 * Waits for the lock of a producer that died; a living one is named.
 * @throws UserError when another process holds the run and keeps renewing its lock.
 */
export async function lockRun(context: LockContext): Promise<RunLock> {
  const { board, runStore, world } = context;
  const owner = describeProcess(world);
  const deadline = world.now() + ttlMs + 1_000;
  for (;;) {
    let askedMs = world.now();
    const ask = () => {
      askedMs = world.now();
      return board.lock(runStore.run, owner, ttlMs);
    };
    const other = await patiently(what, ask, context);
    if (other === undefined) return new HeldLock(context, owner, askedMs);
    if (world.now() > deadline) throw takenBy(other, runStore.run);
    await world.sleep(250);
  }
}

/**
 * Takes a run from whatever producer has it, which then stops.
 * @returns besides the lock, who had it.
 */
export async function seizeRun(
  context: LockContext,
): Promise<{ lock: RunLock; from: string | undefined }> {
  const owner = cancels + describeProcess(context.world);
  const askedMs = context.world.now();
  const from = await context.board.seize(context.runStore.run, owner, ttlMs);
  return { lock: new HeldLock(context, owner, askedMs), from };
}

class HeldLock implements RunLock {
  readonly owner: string;
  readonly lost: Promise<never>;
  generation: number | undefined;
  readonly #context: LockContext;
  readonly #stop = new AbortController();
  #fail: (error: Error) => void = () => {};
  #error: Error | undefined;
  /** When it was asked for, the last time that it was given. */
  #askedMs: number;

  constructor(context: LockContext, owner: string, askedMs: number) {
    this.#context = context;
    this.owner = owner;
    this.#askedMs = askedMs;
    this.lost = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    this.lost.catch(() => {}); // whoever has nothing to do at that moment learns of it later
    void this.#keep();
  }

  async held(): Promise<void> {
    if (this.#context.world.now() - this.#askedMs > ttlMs / 2) {
      await patiently(what, () => this.#renew(), this.#context);
    }
    if (this.#error) throw this.#error;
  }

  async release(): Promise<void> {
    this.#stop.abort();
    await this.#context.board.release(this.#context.runStore.run, this.owner).catch(() => {});
  }

  async #keep(): Promise<void> {
    const { world } = this.#context;
    const { signal } = this.#stop;
    while (!signal.aborted && !this.#error) {
      await world.sleep(lookMs, signal).catch(() => {});
      // During an outage of Redis nobody else can take the run either.
      if (!signal.aborted) await this.#renew().catch(() => {});
    }
  }

  /**
   * A lock that is gone (Redis was flushed) is taken again, unless the run was claimed since. That
   * is looked up whenever somebody could have seized the run and released it since this process
   * asked for the lock before: it may have slept between the two, or in the middle of one.
   */
  async #renew(): Promise<void> {
    const { board, runStore, world } = this.#context;
    const askedMs = world.now();
    try {
      const other = await board.lock(runStore.run, this.owner, ttlMs);
      if (other !== undefined) throw takenBy(other, runStore.run);
      const slept = world.now() - this.#askedMs > seizedMs;
      if (slept && this.generation !== undefined) {
        const isLost = await runStore.isSuperseded(this.generation, this.owner);
        if (isLost) throw superseded(runStore.run);
      }
      this.#askedMs = Math.max(this.#askedMs, askedMs);
    } catch (error) {
      if (isTransient(error)) throw error;
      this.#error = error as Error;
      this.#fail(this.#error);
    }
  }
}

/** What ends a producer whose claim is void. */
export function superseded(run: string): UserError {
  return new UserError(
    `Run "${run}" was taken over by another process while this one did not answer. ` +
      `Watch it with "cutline status ${run}".`,
  );
}

function describeProcess(world: World): string {
  return `${hostname()}, process ${process.pid} (${world.newId()})`;
}

function takenBy(owner: string, run: string): UserError {
  const other = owner.replace(/ \([^)]*\)$/, '');
  if (other.startsWith(cancels)) return new UserError(`Run "${run}" was ${other}.`);
  return new UserError(
    `Run "${run}" is being produced by ${other} already. Watch it with "cutline status ${run}".`,
  );
}
