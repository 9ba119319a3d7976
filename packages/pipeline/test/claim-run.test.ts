import {
  beginOrGoOn,
  beginRun,
  cancelRun,
  type DecodeJob,
  type EncodeJob,
  type FeatureStore,
  lockRun,
  MemoryBoard,
  MemoryQueueServer,
} from '@cutline/pipeline';
import { createLogger } from '@cutline/shared/process';
import { createChunk, createEnd, RunStore } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { expect, test } from 'vitest';
import { exampleRun, imageOf } from '../../shared/test/support/example-run.ts';
import { ManualWorld } from './support/manual-world.ts';

/** A producer that something starts again begins its run once; with processes: test/resume.test.ts. */

function start() {
  const world = new ManualWorld();
  const store = new MemoryStore();
  const runStore = new RunStore(store, '', exampleRun.run);
  const board = new MemoryBoard({ world });
  const log = createLogger({ process: 'test', level: 'silent' });
  return { world, store, runStore, board, log };
}

const generation = (claimed: Awaited<ReturnType<typeof beginOrGoOn>>) =>
  'claim' in claimed ? claimed.claim.generation : undefined;

test('whose beginning it did not hear of goes on with it', async () => {
  const context = start();
  // The object is written, the answer lost; asked again, the store says that it is there already.
  context.runStore.createRun = async (run) => {
    await RunStore.prototype.createRun.call(context.runStore, run);
    return false;
  };
  const first = await beginOrGoOn(context, exampleRun);
  expect(generation(first)).toBe(0);
});

test('that is another version of Cutline, and later, goes on with it', async () => {
  const context = start();
  const first = await beginOrGoOn(context, exampleRun);
  if ('lock' in first) await first.lock.release();
  const again = { ...exampleRun, created: '2027-01-01T00:00:00.000Z', cutline: '9.9.9' };
  expect(generation(await beginOrGoOn(context, again))).toBe(1);
});

test.each([
  ['of other images', { source: { store: 's3://other', prefix: '' } }],
  ['of a smaller batch', { batchSize: exampleRun.batchSize - 1 }],
])('leaves a run alone that is %s, and its lock free', async (_, other) => {
  const context = start();
  const first = await beginOrGoOn(context, exampleRun);
  if ('lock' in first) await first.lock.release();
  await expect(beginOrGoOn(context, { ...exampleRun, ...other })).rejects.toThrow(
    `There is a run "${exampleRun.run}" already`,
  );
  await (await lockRun(context)).release();
});

test('that is late goes on; a run whose deadline has passed is not begun by mistake', async () => {
  const context = start();
  const late = { ...exampleRun, deadline: '2020-01-01T06:00:00.000Z' };
  await expect(beginRun(context, late)).rejects.toThrow(/--deadline 2020-01-01.* has passed/);
  expect(await context.runStore.exists()).toBe(false);
  expect(generation(await beginOrGoOn(context, late))).toBe(0);
});

test('that waited for the lock of one that died does not go on with what was cancelled meanwhile', async () => {
  const context = start();
  const { world, board } = context;
  const first = await beginOrGoOn(context, exampleRun);
  if ('lock' in first) await first.lock.release();
  await board.lock(exampleRun.run, 'one that died', 15_000);
  const again = beginOrGoOn(context, exampleRun);
  again.catch(() => {}); // it is heard below
  await world.advance(5_000);
  const server = new MemoryQueueServer();
  const of = { model: exampleRun.model, lockMs: 30_000, world };
  const queues = {
    encode: server.open<EncodeJob>({ stage: 'encode', ...of }),
    decode: server.open<DecodeJob>({ stage: 'decode', ...of }),
  };
  const features = { removeAll: async () => {} } as unknown as FeatureStore;
  await world.settle(cancelRun({ ...context, queues, features }));
  await expect(world.settle(again)).rejects.toThrow(`Run "${exampleRun.run}" was cancelled`);
  await (await lockRun(context)).release();
});

/** Goes on with a run whose producer does something more while the claim is on its way. */
async function goOnAfter(work: (runStore: RunStore) => Promise<unknown>) {
  const context = start();
  const { runStore } = context;
  const first = await beginOrGoOn(context, exampleRun);
  if ('lock' in first) await first.lock.release();
  runStore.createClaim = async (claim) => {
    await work(runStore);
    return RunStore.prototype.createClaim.call(runStore, claim);
  };
  const claimed = await beginOrGoOn(context, exampleRun);
  if (!('claim' in claimed)) throw new Error('it was not claimed');
  await claimed.lock.release();
  return { claimed, claims: await runStore.readClaims() };
}

test('that slept before its claim was written takes over what was listed meanwhile', async () => {
  const images = [imageOf('a'), imageOf('b')];
  const { claimed, claims } = await goOnAfter((runStore) => createChunk(runStore, 0, 0, images));
  expect(claimed.state.manifest).toEqual({ chunks: 1, images: null });
  expect(claimed.state.claims).toEqual(claims);
  expect(claims[1]?.takeover).toEqual({ chunks: 1, follows: 0 });
});

test('that slept until the listing was complete lists nothing', async () => {
  const { claimed, claims } = await goOnAfter(async (runStore) => {
    await createChunk(runStore, 0, 0, [imageOf('a')]);
    await createEnd(runStore, 0, { chunks: 1, images: 1 });
  });
  expect(claimed.state.manifest).toEqual({ chunks: 1, images: 1 });
  expect(claims[1]?.takeover).toBeUndefined();
});
