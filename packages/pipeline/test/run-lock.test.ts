import { lockRun, MemoryBoard, type RunBoard, seizeRun } from '@cutline/pipeline';
import { createLogger } from '@cutline/shared/process';
import { RunStore } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { expect, test } from 'vitest';
import { claimOf } from '../../shared/test/support/example-run.ts';
import { ManualWorld } from './support/manual-world.ts';

/** A process whose questions for the lock can be held up: it sleeps in the middle of them. */
function sleepy(board: MemoryBoard) {
  let awake: Promise<void> = Promise.resolve();
  const lock: RunBoard['lock'] = async (...args) => {
    await awake;
    return board.lock(...args);
  };
  const fallAsleep = () => {
    let wake = () => {};
    awake = new Promise((resolve) => {
      wake = resolve;
    });
    return () => wake();
  };
  const view = new Proxy(board, {
    get: (target, name) => (name === 'lock' ? lock : Reflect.get(target, name).bind(target)),
  });
  return { board: view, fallAsleep };
}

function start() {
  const world = new ManualWorld();
  const runStore = new RunStore(new MemoryStore(), '', 'r1');
  const board = new MemoryBoard({ world });
  const log = createLogger({ process: 'test', level: 'silent' });
  return { world, runStore, board, log };
}

test.each([4_000, 60_000])(
  'a producer that sleeps %i ms while it asks for its lock finds that the run was cancelled',
  async (asleepMs) => {
    const context = start();
    const { world, runStore } = context;
    const { board, fallAsleep } = sleepy(context.board);
    const lock = await lockRun({ ...context, board });
    await runStore.createClaim(claimOf(0, { owner: lock.owner }));
    lock.generation = 0;

    const wake = fallAsleep();
    await world.advance(1_000);
    const cancel = await seizeRun(context);
    await runStore.createClaim(claimOf(1, { kind: 'cancel' }));
    await cancel.lock.release();
    await world.advance(asleepMs);
    wake();
    await expect(lock.lost).rejects.toThrow('taken over by another process');
    await expect(lock.held()).rejects.toThrow('taken over by another process');
  },
);

test('a lock that Redis forgot is taken again by whoever has the last claim', async () => {
  const context = start();
  const { world, runStore } = context;
  const { board, fallAsleep } = sleepy(context.board);
  const lock = await lockRun({ ...context, board });
  for (const n of [0, 1]) await runStore.createClaim(claimOf(n, { owner: lock.owner }));
  lock.generation = 0; // the second one is about to be noted
  const wake = fallAsleep();
  context.board.flush();
  await world.advance(20_000);
  wake();
  await lock.held();
  expect(await board.owner('r1')).toBe(lock.owner);
  await lock.release();
});
