/** Which images reviewers get to see, in which order, and how many that may be. */
import { randomUUID } from 'node:crypto';
import {
  type CaptionedRow,
  estimateAccepted,
  Reviews,
  RunStore,
  readDraws,
  readReviews,
  readRunState,
} from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { describe, expect, test } from 'vitest';
import { createRun } from '../../../test/support/finished-run.ts';
import { RunResults } from '../dist/results/index.js';
import { ImageIndex, type ReviewSession, takeDraw } from '../dist/review/index.js';
import { captionedRow, failedRow, skippedRow } from './gallery-rows.ts';
import { openReview } from './support/review-run.ts';

const query = {
  order: 'listing',
  state: 'open',
  kind: 'captioned',
  scoreMin: null,
  scoreMax: null,
  search: '',
} as const;

const rows = [
  captionedRow({ key: 'dog.jpg', caption: 'a dog', score: -1 }),
  captionedRow({ key: 'cat.jpg', caption: 'A Cát', score: -3, warnings: ['blank'] }),
  captionedRow({ key: 'server.jpg', caption: 'two boats', score: null, logProb: null }),
  failedRow('slow.jpg', { class: 'timeout', message: 'too slow' }),
  failedRow('cut.jpg', { class: 'corrupt', message: 'cut off' }),
  skippedRow('notes.txt', 'not-an-image'),
  captionedRow({ key: 'bird.jpg', caption: 'a bird', score: -2, warnings: ['no .txt sidecar: x'] }),
];

async function sessionOf(all = rows as Parameters<typeof createRun>[1]) {
  const run = await createRun(new MemoryStore(), all);
  const { session, close } = await openReview(run, new MemoryStore());
  await close();
  return { run, session };
}

async function keysOf(session: ReviewSession, fields: object) {
  const { list, images } = await session.select({ ...query, ...fields });
  const items = images > 0 ? await session.items({ list, from: 0, count: 50 }) : [];
  expect(items.length).toBe(Math.min(50, images));
  return items.map(({ key }) => key.split('.')[0]);
}

test.each<[object, string[]]>([
  [{}, ['dog', 'cat', 'server', 'bird']],
  [{ order: 'least-certain' }, ['server', 'cat', 'bird', 'dog']],
  [{ order: 'most-certain' }, ['dog', 'bird', 'cat', 'server']],
  [{ kind: 'failed' }, ['slow', 'cut']],
  [{ kind: 'failed:corrupt' }, ['cut']],
  [{ kind: 'warning:blank' }, ['cat']],
  [{ kind: 'warning:no .txt sidecar' }, ['bird']],
  [{ kind: 'of no kind' }, []],
  [{ scoreMin: -2 }, ['dog', 'bird']],
  [{ scoreMax: -2 }, ['cat', 'bird']],
  [{ search: 'CAT a' }, ['cat']],
  [{ search: 'boats SERVER' }, ['server']],
  [{ state: 'reviewed' }, []],
])('%j', async (fields, expected) => {
  const { session } = await sessionOf();
  expect(await keysOf(session, fields)).toEqual(expected);
});

test('what is judged is found by what was decided, and by what was written', async () => {
  const { session } = await sessionOf();
  const decide = (n: number, decision: 'accepted' | 'rejected' | 'corrected', caption?: string) =>
    session.decide({ id: randomUUID(), n, decision, caption, seen: null });
  await decide(0, 'accepted');
  await decide(1, 'rejected');
  await decide(2, 'corrected', 'three ships');
  expect(await keysOf(session, {})).toEqual(['bird']);
  expect(await keysOf(session, { state: 'reviewed' })).toEqual(['dog', 'cat', 'server']);
  expect(await keysOf(session, { state: 'rejected' })).toEqual(['cat']);
  expect(await keysOf(session, { state: 'any', search: 'ships' })).toEqual(['server']);
  expect(await session.select({ ...query, state: 'any' })).toMatchObject({ images: 4, first: 3 });
});

test('a list stays as it is while it is worked through', async () => {
  const { session } = await sessionOf();
  const { list } = await session.select(query);
  await session.decide({ id: randomUUID(), n: 0, decision: 'accepted', seen: null });
  const items = await session.items({ list, from: 0, count: 50 });
  expect(items.map(({ key, review }) => [key, review?.decision])).toEqual([
    ['dog.jpg', 'accepted'],
    ['cat.jpg', undefined],
    ['server.jpg', undefined],
    ['bird.jpg', undefined],
  ]);
});

test('what somebody else decides in another process is seen, and comes before', async () => {
  const run = await createRun(new MemoryStore(), rows);
  const early = () => new Date('2026-11-22T20:00:00Z');
  const late = () => new Date('2026-11-22T21:00:00Z');
  const ben = await openReview(run, new MemoryStore(), { who: 'ben', now: late });
  const theirs = await ben.session.decide({
    ...{ id: randomUUID(), n: 0, decision: 'rejected', seen: null },
  });
  // Anna's clock is an hour behind; she has seen what Ben said, and says otherwise.
  const anna = await openReview(run, new MemoryStore(), { who: 'anna', now: early });
  const seen = theirs.review?.id ?? '';
  await anna.session.decide({ id: randomUUID(), n: 0, decision: 'accepted', seen });
  const { key, etag } = rows[0]!;
  expect((await readReviews(run)).of({ key, etag })).toMatchObject({
    who: 'anna',
    decision: 'accepted',
  });
  await Promise.all([anna.close(), ben.close()]);
});

test('by chance, every image comes once, and in another order than listed', async () => {
  const many = Array.from({ length: 50 }, (_, n) => captionedRow({ key: `${n}.jpg` }));
  const { session } = await sessionOf(many);
  const keys = await keysOf(session, { order: 'random' });
  const listed = many.map(({ key }) => key.split('.')[0]);
  expect(keys).not.toEqual(listed);
  expect(new Set(keys)).toEqual(new Set(listed));
  expect(await keysOf(session, { order: 'random' })).toEqual(keys);
});

describe('100,000 images', { timeout: 60_000 }, () => {
  test('are chosen from without their rows being kept', async () => {
    const many = Array.from(
      { length: 100_000 },
      (_, n): CaptionedRow =>
        captionedRow({ key: `box/${n}.jpg`, caption: `caption ${n}`, score: -(n % 977) }),
    );
    const store = new CountingStore();
    const run = await createRun(store, many, { batchSize: 1024 });
    const { session, close } = await openReview(run, new MemoryStore());
    store.partsRead = 0;
    const { list, images } = await session.select({ ...query, order: 'least-certain' });
    expect(images).toBe(100_000);
    const items = await session.items({ list, from: 50_000, count: 20 });
    expect(items).toHaveLength(20);
    // Of 98 parts, no more than what is looked at.
    expect(store.partsRead).toBeLessThanOrEqual(20);
    expect(await keysOf(session, { search: '99999' })).toEqual(['box/99999']);
    await close();
  });

  class CountingStore extends MemoryStore {
    partsRead = 0;
    override async get(...args: Parameters<MemoryStore['get']>) {
      if (args[0].includes('/parts/')) this.partsRead += 1;
      return super.get(...args);
    }
  }
});

describe('a draw', () => {
  const now = () => new Date('2026-11-22T20:43:12Z');
  const many = Array.from({ length: 30 }, (_, n) => captionedRow({ key: `${n}.jpg` }));
  const options = { only: 10, who: 'anna', now };
  const indexOf = async (run: RunStore) =>
    ImageIndex.read(new RunResults(run, await readRunState(run)), () => {});

  test('is of captions alone, each once, and is gone on with until it is judged', async () => {
    const run = await createRun(new MemoryStore(), [
      ...many,
      failedRow('cut.jpg', { class: 'corrupt', message: 'cut off' }),
    ]);
    const index = await indexOf(run);
    const { draw, isNew } = await takeDraw(run, index, new Reviews(), options);
    expect({ isNew, population: draw.population }).toEqual({ isNew: true, population: 30 });
    expect(new Set(draw.images.map(({ key }) => key)).size).toBe(10);
    expect(await takeDraw(run, index, new Reviews(), { ...options, who: 'ben' })).toEqual({
      draw,
      isNew: false,
    });
    // Another size is another draw.
    const other = await takeDraw(run, index, new Reviews(), { ...options, only: 5 });
    expect(other).toMatchObject({ isNew: true, draw: { number: 1 } });

    const { session, close } = await openReview(run, new MemoryStore(), { draw: other.draw });
    const { list, images } = await session.select({ ...query, kind: 'failed' });
    const drawn = await session.items({ list, from: 0, count: 50 });
    expect(images).toBe(5);
    expect(drawn.map(({ key }) => key)).toEqual(other.draw.images.map(({ key }) => key));
    for (const { n } of drawn) {
      const decision = n === drawn[0]?.n ? 'rejected' : 'accepted';
      await session.decide({ id: randomUUID(), n, decision, seen: null });
    }
    expect(session.open().progress.estimate).toMatchObject({ drawn: 5, judged: 5, accepted: 4 });
    await close();
    const reviews = await readReviews(run);
    expect(estimateAccepted(other.draw, reviews)).toMatchObject({ judged: 5, accepted: 4 });
    const next = await takeDraw(run, index, reviews, { ...options, only: 5 });
    expect(next).toMatchObject({ isNew: true, draw: { number: 2 } });
  });

  test('that two begin at once is one', async () => {
    const run = await createRun(new MemoryStore(), many);
    const index = await indexOf(run);
    const both = await Promise.all(
      ['anna', 'ben'].map((who) => takeDraw(run, index, new Reviews(), { ...options, who })),
    );
    expect(both[0]?.draw).toEqual(both[1]?.draw);
    expect(await readDraws(run)).toHaveLength(1);
  });

  test('of more than there are is of all', async () => {
    const run = await createRun(new MemoryStore(), many);
    const { draw } = await takeDraw(run, await indexOf(run), new Reviews(), {
      ...options,
      only: 100,
    });
    expect(draw.images).toHaveLength(30);
  });

  test('takes each image as often as any other', async () => {
    const run = await createRun(new MemoryStore(), many);
    const index = await indexOf(run);
    const counts = new Map<string, number>();
    const times = 600;
    for (let i = 0; i < times; i++) {
      const fresh = new RunStore(new MemoryStore(), '', 'r1');
      const { draw } = await takeDraw(fresh, index, new Reviews(), options);
      for (const { key } of draw.images) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // Binomial, n 600, p 1/3: 200 expected, standard deviation 11.5; 6 of them are 69.
    for (const { key } of many) expect(Math.abs((counts.get(key) ?? 0) - 200)).toBeLessThan(69);
  });
});
