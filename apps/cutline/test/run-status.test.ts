import { countRows, RunStore, type Summary } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { expect, test } from 'vitest';
import {
  captionedRow,
  claimOf,
  exampleRun,
  time,
} from '../../../packages/shared/test/support/example-run.ts';
import { type KnownStatus, readStatus, type StatusContext } from '../dist/watch/run-status.js';

const noQueue = {
  counts: async () => ({ waiting: 0, active: 0, delayed: 0, failed: 0 }),
  workers: async () => 1,
};
const context = {
  board: { owner: async () => undefined, progress: async () => undefined },
  queues: { encode: noQueue, decode: noQueue },
  features: { bytesInFlight: async () => 0 },
} as unknown as StatusContext;

test('a run that ends between two looks is finished, and not without a producer', async () => {
  const runStore = new RunStore(new MemoryStore(), '', exampleRun.run);
  await runStore.createRun(exampleRun);
  await runStore.createClaim(claimOf(0));
  expect(await readStatus(runStore, async () => context)).toMatchObject({ hasProducer: false });

  const status = await readStatus(runStore, async () => {
    await runStore.writeSummary(summary, undefined);
    return context;
  });
  expect(status).toMatchObject({ summary: { images: 1 }, progress: { captioned: 1 } });
  expect(status.hasProducer).toBeUndefined();
});

test('who looks again and again asks the store now and then, while a producer is at work', async () => {
  const runStore = new RunStore(new MemoryStore(), '', exampleRun.run);
  await runStore.createRun(exampleRun);
  await runStore.createClaim(claimOf(0));
  let owner: string | undefined = 'a producer';
  const working = {
    ...context,
    board: { owner: async () => owner, progress: async () => undefined },
  } as unknown as StatusContext;
  const known: KnownStatus = { ledgers: new Map() };
  const look = () => readStatus(runStore, async () => working, known);
  await look();
  await runStore.writeSummary(summary, undefined);
  expect(await look()).toMatchObject({ hasProducer: true });
  owner = undefined;
  expect(await look()).toMatchObject({ summary: { images: 1 } });
});

const summary: Summary = {
  ...{ format: 2, run: exampleRun.run, generation: 0, ...countRows([captionedRow('a.jpg')]) },
  ...{ chunks: 1, parts: 1, model: exampleRun.model },
  ...{ created: time, finished: time, imagesPerSecond: 1, retried: null },
};
