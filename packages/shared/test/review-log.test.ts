import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Decision, ReviewLog, ReviewReader, RunStore, readReviews } from '@cutline/shared/run';
import { MemoryStore, type ObjectStore, openStore, StoreError } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startS3 } from '../../../test/support/s3-server.ts';
import { accepted } from './support/example-reviews.ts';
import { time } from './support/example-run.ts';
import { listKeys } from './support/list-keys.ts';

/** Nothing of what people decide is lost, whatever the store, and whoever else is there. */

const now = () => new Date(time);

interface Opened {
  store: ObjectStore;
  close(): Promise<void>;
}

const kinds: [string, () => Promise<Opened>][] = [
  ['memory', async () => ({ store: new MemoryStore(), close: async () => {} })],
  ['a folder', openFolder],
  ['S3', () => openS3(true)],
  ['S3 that ignores conditions', () => openS3(false)],
];

async function openFolder(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-reviews-'));
  const store = await openStore(pathToFileURL(folder).href);
  return { store, close: () => rm(folder, { recursive: true }) };
}

async function openS3(conditions: boolean): Promise<Opened> {
  const server = await startS3({ conditions });
  const store = await openStore(server.createBucket('captions'), server.config);
  return {
    store,
    close: async () => {
      store.close();
      await server.stop();
    },
  };
}

describe.each(kinds)('in %s', (_, open) => {
  let opened: Opened;
  let run: RunStore;

  beforeEach(async () => {
    opened = await open();
    run = new RunStore(opened.store, 'out/', 'r1');
  });
  afterEach(() => opened.close());

  const objects = () => listKeys(run.store, `${run.prefix}reviews/`);

  test('three people and one of them twice lose nothing, and share no object', async () => {
    const logs = ['anna', 'ben', 'anna', 'Zoë M'].map(
      (who) => [who, new ReviewLog(run, who, now)] as const,
    );
    const made: Decision[] = [];
    await Promise.all(
      logs.flatMap(([who, log], n) =>
        Array.from({ length: 20 }, async (_, i) => {
          // All of them judge the same images.
          const decision = accepted(`${i}.jpg`, who, n);
          made.push(decision);
          await log.add(decision);
        }),
      ),
    );
    const reviews = await readReviews(run);
    const byId = (a: Decision, b: Decision) => (a.id < b.id ? -1 : 1);
    expect([...reviews.decisions()].toSorted(byId)).toEqual(made.toSorted(byId));
    expect(await objects()).toHaveLength(4);
  });

  test('what is added is there when it has been said to be', async () => {
    const log = new ReviewLog(run, 'anna', now);
    const reader = new ReviewReader(run);
    for (let i = 0; i < 5; i++) {
      const decision = accepted(`${i}.jpg`);
      await log.add(decision);
      await reader.refresh();
      expect(reader.reviews.find(decision.id)).toEqual(decision);
    }
    expect(await objects()).toHaveLength(1);
  });
});

describe('in a store that has its moods', () => {
  /** Fails puts as it is told to: before they are done, or after. */
  class MoodyStore extends MemoryStore {
    moods: ('refuses' | 'forgets to answer')[] = [];
    gets = 0;

    override async put(...args: Parameters<MemoryStore['put']>) {
      const mood = this.moods.shift();
      if (mood === 'refuses') throw new StoreError('unavailable', 'Slow down.');
      const put = await super.put(...args);
      if (mood) throw new StoreError('unavailable', 'No answer came.');
      return put;
    }

    override async get(...args: Parameters<MemoryStore['get']>) {
      this.gets += 1;
      return super.get(...args);
    }
  }

  let store: MoodyStore;
  let run: RunStore;
  let log: ReviewLog;
  beforeEach(() => {
    store = new MoodyStore();
    run = new RunStore(store, '', 'r1');
    log = new ReviewLog(run, 'anna', now);
  });

  test.each(['refuses', 'forgets to answer'] as const)('that %s', async (mood) => {
    const [a, b, c] = [accepted('a'), accepted('b'), accepted('c')];
    await log.add(a);
    store.moods = [mood];
    await expect(log.add(b)).rejects.toThrow();
    await log.add(b);
    await log.add(c);
    const reviews = await readReviews(run);
    expect([...reviews.decisions()].map(({ key }) => key).toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('what somebody else made of an object stays as it is', async () => {
    const [a, b] = [accepted('a'), accepted('b')];
    await log.add(a);
    const [object] = await listKeys(store, 'runs/r1/reviews/');
    const foreign = accepted('x');
    await store.put(object!, Buffer.from(`${JSON.stringify(foreign)}\n`));
    await log.add(b);
    const keys = [...(await readReviews(run)).decisions()].map(({ key }) => key);
    expect(keys.toSorted()).toEqual(['a', 'b', 'x']);
  });

  test('an object has an end, and the next one begins', async () => {
    for (let i = 0; i < 600; i++) await log.add(accepted(`${i}`));
    const found = await listKeys(store, 'runs/r1/reviews/');
    expect(found.map((key) => key.slice(-12))).toEqual([
      '000000.jsonl',
      '000001.jsonl',
      '000002.jsonl',
    ]);
    expect((await readReviews(run)).size).toBe(600);
  });

  test('what has not changed is not read again', async () => {
    const reader = new ReviewReader(run);
    await log.add(accepted('a'));
    await reader.refresh();
    await reader.refresh();
    expect(store.gets).toBe(1);
    await log.add(accepted('b'));
    await reader.refresh();
    expect(store.gets).toBe(2);
    expect(reader.reviews.size).toBe(2);
  });
});

test('a line that is no decision is told of, with its object', async () => {
  const store = new MemoryStore();
  const run = new RunStore(store, '', 'r1');
  await new ReviewLog(run, 'anna', now).add(accepted('a'));
  const [object] = await listKeys(store);
  await store.put(object!, Buffer.from('{"decision":"maybe"}\n'));
  await expect(readReviews(run)).rejects.toThrow(`${object!}, line 1`);
  await store.put('runs/r1/reviews/notes.txt', Buffer.from('for myself'));
  await store.delete(object!);
  expect((await readReviews(run)).size).toBe(0);
});
