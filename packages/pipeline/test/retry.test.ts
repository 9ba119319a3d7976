import type { FailureClass } from '@cutline/shared/errors';
import {
  glanceAtRun,
  type Ledger3,
  type RunStore,
  readReviewedResults,
  readRunState,
  verifyRun,
} from '@cutline/shared/run';
import { beforeEach, expect, test } from 'vitest';
import { exampleRun } from '../../shared/test/support/example-run.ts';
import type { CountingStore } from './support/counting-store.ts';
import { DrivenRun, keyOf } from './support/driven-run.ts';

/**
 * What a retry, and reading results, ask of the output store, of a run whose results stay in parts:
 * compaction.test.ts has those that are compacted.
 */

const run = { ...exampleRun, batchSize: 16, chunkBatches: 16, keepParts: true as const };
const images = 1_024;
const parts = images / run.batchSize;
const chunks = parts / run.chunkBatches;
/** Claim, run, summary and the like, whatever the run's size. */
const ofRun = 25;
/** One image in fifty, no two of a batch. */
const concerned = Math.ceil(images / 50);

let driven: DrivenRun;
let captions: CountingStore;
let runStore: RunStore;

beforeEach(() => {
  driven = new DrivenRun(run, images);
  ({ captions, runStore } = driven);
});

const mended = () => undefined;

test('a retry asks for what failed, and for nothing else', async () => {
  await driven.drive({ begin: run });
  await driven.expectSound({
    captioned: images - concerned,
    failedByClass: { 'not-found': concerned },
  });
  driven.outcomeOf = (image) => (image === 500 ? 'corrupt' : undefined);
  captions.reset();
  const tried = await driven.drive({ resume: run.run, retry: ['not-found'] });
  expect(tried).toHaveLength(concerned);
  expect(captions.count('get', '/parts/')).toBe(concerned); // the new ones, none of the old
  expect(captions.total).toBeLessThanOrEqual(2 * concerned + 7 * chunks + ofRun);
  await driven.expectSound({ captioned: images - 1, failedByClass: { corrupt: 1 } });
});

test('the first is tried before the chunks that follow are looked at', async () => {
  await driven.drive({ begin: run });
  driven.outcomeOf = mended;
  captions.reset();
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  const puts = captions.requests.findIndex(
    ({ operation, key }) => operation === 'put' && key.includes('/parts/'),
  );
  const before = captions.requests.slice(0, puts);
  expect(before.filter(({ key }) => key.includes('/manifest/0'))).toHaveLength(1);
  expect(before.filter(({ key }) => key.includes('/parts/'))).toEqual([]);
});

test('failures of other classes stay as they are, and may be tried later', async () => {
  driven.outcomeOf = (image) =>
    [undefined, 'not-found', 'corrupt'][image % 3] as FailureClass | undefined;
  await driven.drive({ begin: run });
  driven.outcomeOf = (image) => (image % 2 === 0 ? 'not-found' : undefined);
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  await driven.expectSound({ captioned: 513, failedByClass: { 'not-found': 170, corrupt: 341 } });
  driven.outcomeOf = mended;
  await driven.drive({ resume: run.run, retry: ['corrupt'] });
  await driven.expectSound({ captioned: 854, failedByClass: { 'not-found': 170 } });
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  await driven.expectSound({ captioned: images, failedByClass: {} });
});

test('a part of which no row counts any more is not named any more', async () => {
  driven.outcomeOf = (image) => (image < run.batchSize ? 'not-found' : undefined);
  await driven.drive({ begin: run });
  driven.outcomeOf = mended;
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  const { parts: named } = (await runStore.readLedger(0, 1)) as Ledger3;
  const names = named.map(({ name }) => name);
  expect(names).toContain('parts/000000.1.jsonl');
  expect(names).not.toContain('parts/000000.jsonl');
  await driven.expectSound({ captioned: images, failedByClass: {} });
});

test('what answers took that were no captions goes with the failures', async () => {
  driven.usageOf = (image) => ({ promptTokens: 100 + image, completionTokens: 7, seconds: 0.125 });
  await driven.drive({ begin: run });
  driven.usageOf = () => ({ promptTokens: 1, completionTokens: 1, seconds: 0.5 });
  driven.outcomeOf = mended;
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  await driven.expectSound({ captioned: images, failedByClass: {} });
});

test('what is archived is skipped, and tried when it is said to be restored, and not before', async () => {
  driven.isArchived = (image) => image % 100 === 7;
  const archived = 11;
  const failed = { 'not-found': concerned };
  await driven.drive({ begin: run });
  const captioned = images - concerned - archived;
  await driven.expectSound({ captioned, failedByClass: failed, skippedByReason: { archived } });

  const all = await driven.drive({ resume: run.run, retry: ['not-found'] });
  expect(all).toHaveLength(concerned);
  await driven.expectSound({ captioned, failedByClass: failed, skippedByReason: { archived } });

  driven.outcomeOf = (image) => (image === 7 ? 'access-denied' : undefined); // this one was not restored
  const tried = await driven.drive({ resume: run.run, retry: ['archived'] });
  expect(tried).toEqual(Array.from({ length: archived }, (_, n) => keyOf(100 * n + 7)));
  await driven.expectSound({
    captioned: captioned + archived - 1,
    failedByClass: { ...failed, 'access-denied': 1 },
    skippedByReason: {},
  });
  driven.outcomeOf = mended;
  await driven.drive({ resume: run.run, retry: ['access-denied', 'not-found', 'archived'] });
  await driven.expectSound({ captioned: images, failedByClass: {}, skippedByReason: {} });
});

test('a ledger of the version before is read, and its chunk held against all parts', async () => {
  await driven.drive({ begin: run });
  for (const [chunk, generation] of await runStore.listLedgers()) {
    const ledger = (await runStore.readLedger(chunk, generation)) as Ledger3;
    const before = ledger.parts.map(({ name, sha256 }) => ({ name, sha256 }));
    const name = runStore.prefix + runStore.ledgerName(chunk, generation);
    const old = { ...ledger, format: 2, parts: before };
    await captions.put(name, Buffer.from(JSON.stringify(old)));
  }
  await driven.expectSound({
    captioned: images - concerned,
    failedByClass: { 'not-found': concerned },
  });
  expect(await countRows()).toBe(images);
  driven.outcomeOf = mended;
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  await driven.expectSound({ captioned: images, failedByClass: {} });
});

async function countRows(limit = Number.POSITIVE_INFINITY): Promise<number> {
  let rows = 0;
  for await (const some of readReviewedResults(runStore, await glanceAtRun(runStore))) {
    rows += some.length;
    if (rows >= limit) break;
  }
  return rows;
}

test('the first rows cost five requests, all of them one a part and one a chunk', async () => {
  await driven.drive({ begin: run });
  captions.reset();
  await countRows(5);
  expect(captions.total).toBeLessThanOrEqual(5);
  captions.reset();
  expect(await countRows()).toBe(images);
  expect(captions.total).toBeLessThanOrEqual(parts + chunks + 3);
});

test('rows of a batch that stand in several parts come in the order of the manifest', async () => {
  await driven.drive({ begin: run });
  driven.outcomeOf = mended;
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  const keys: string[] = [];
  for await (const rows of readReviewedResults(runStore, await glanceAtRun(runStore))) {
    keys.push(...rows.map(({ key }) => key));
  }
  expect(keys).toEqual(Array.from({ length: images }, (_, image) => keyOf(image)));
});

test('who goes on with a run is not hidden by the summary that it had', async () => {
  await driven.drive({ begin: run });
  const { claims } = await readRunState(runStore);
  await runStore.createClaim({
    ...claims[0]!,
    generation: 1,
    retry: ['not-found'],
  });
  expect((await glanceAtRun(runStore)).summary).toBeUndefined();
  expect(await countRows()).toBe(images);
});

test.each([
  [
    'ledger/000000.json',
    (text: string) => text.replace(/"not-found": \[\s+0\s+\]/, '"not-found": [3]'),
    'ledger/000000.json: of parts/000000.jsonl it says 16 images, not-found at 3, counted 16 ' +
      'images, not-found at 0',
  ],
  [
    'summary.json',
    (text: string) => text.replace('"batchSize": 16', '"batchSize": 32'),
    'summary.json: batchSize is 32, run.json says 16',
  ],
  [
    'summary.json',
    (text: string) => text.replace(/("ledgers": \[\s+\{[^}]*"generation": )0/, '$11'),
    'summary.json names other ledgers than the latest of each chunk',
  ],
])('what readers go by is verified: %s', async (name, edit, problem) => {
  await driven.drive({ begin: run });
  const key = runStore.prefix + name;
  const text = (await captions.get(key)).bytes.toString();
  expect(edit(text)).not.toBe(text);
  await captions.put(key, Buffer.from(edit(text)));
  expect((await verifyRun(runStore)).problems).toEqual([problem]);
});
