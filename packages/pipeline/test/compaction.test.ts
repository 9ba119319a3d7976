import {
  type AttemptedRow,
  formatResults,
  glanceAtRun,
  type Ledger4,
  placeRows,
  RowReader,
  readResultsFile,
  readReviewedResults,
  readRunState,
  sha256,
  verifyRun,
} from '@cutline/shared/run';
import { StoreError } from '@cutline/shared/stores';
import { beforeEach, expect, test } from 'vitest';
import { exampleRun } from '../../shared/test/support/example-run.ts';
import type { CountingStore } from './support/counting-store.ts';
import { DrivenRun, keyOf } from './support/driven-run.ts';

/** What becomes of parts when their chunk is complete. Faults in between: the simulator. */

const run = { ...exampleRun, batchSize: 16, chunkBatches: 16 };
const images = 1_000;
const chunks = 4;
const concerned = images / 50;
const ofRun = 25;

let driven: DrivenRun;
let captions: CountingStore;

beforeEach(() => {
  driven = new DrivenRun(run, images);
  ({ captions } = driven);
});

async function keysIn(folder: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of captions.list(`${driven.runStore.prefix}${folder}/`)) {
    keys.push(key.slice(driven.runStore.prefix.length));
  }
  return keys;
}

async function readRows() {
  const rows = [];
  const { runStore } = driven;
  for await (const some of readReviewedResults(runStore, await glanceAtRun(runStore))) {
    rows.push(...some);
  }
  return rows;
}

const mended = () => undefined;

test('a chunk that is complete is one file, and its parts are gone', async () => {
  await driven.drive({ begin: run });
  expect(await keysIn('parts')).toEqual([]);
  expect(await keysIn('results')).toEqual([
    'results/000000.parquet',
    'results/000001.parquet',
    'results/000002.parquet',
    'results/000003.parquet',
  ]);
  const failedByClass = { 'not-found': concerned };
  await driven.expectSound({ captioned: images - concerned, failedByClass });

  captions.reset();
  const rows = await readRows();
  expect(rows.map(({ key }) => key)).toEqual(Array.from({ length: images }, (_, n) => keyOf(n)));
  expect(rows[1]).toMatchObject({ status: 'captioned', caption: 'one of 1' });
  expect(captions.count('get', '/results/')).toBe(chunks);
  expect(captions.total).toBeLessThanOrEqual(2 * chunks + 3);
});

test('what is tried again takes its place in another file of the chunk', async () => {
  await driven.drive({ begin: run });
  driven.outcomeOf = (image) => (image === 500 ? 'corrupt' : undefined);
  captions.reset();
  const tried = await driven.drive({ resume: run.run, retry: ['not-found'] });
  expect(tried).toHaveLength(concerned);
  expect(captions.total).toBeLessThanOrEqual(3 * concerned + 10 * chunks + ofRun);
  await driven.expectSound({ captioned: images - 1, failedByClass: { corrupt: 1 } });
  expect(await keysIn('parts')).toEqual([]);
  expect(await keysIn('results')).toEqual(
    [0, 1, 2, 3].map((chunk) => `results/00000${chunk}.1.parquet`),
  );
});

test('what answers took, and what is archived, is kept through all tries', async () => {
  driven.isArchived = (image) => image % 100 === 7;
  driven.usageOf = (image) => ({ promptTokens: 100 + image, completionTokens: 7, seconds: 0.125 });
  await driven.drive({ begin: run });
  const captioned = images - concerned - 10;
  const skippedByReason = { archived: 10 };
  const failedByClass = { 'not-found': concerned };
  await driven.expectSound({ captioned, failedByClass, skippedByReason });
  driven.outcomeOf = mended;
  const tried = await driven.drive({ resume: run.run, retry: ['archived'] });
  expect(tried).toEqual(Array.from({ length: 10 }, (_, n) => keyOf(100 * n + 7)));
  await driven.expectSound({ captioned: captioned + 10, failedByClass, skippedByReason: {} });
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  await driven.expectSound({ captioned: images, failedByClass: {} });
});

test('a part that comes late is void, and goes with the next that tries again', async () => {
  await driven.drive({ begin: run });
  const before = JSON.stringify(await readRows());
  const late = [{ key: keyOf(0), etag: null, status: 'skipped', reason: 'not-an-image' } as const];
  await driven.runStore.createPart(0, '0r', late);
  expect(JSON.stringify(await readRows())).toBe(before);
  driven.outcomeOf = mended;
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  await driven.expectSound({ captioned: images, failedByClass: {} });
  expect(await keysIn('parts')).toEqual([]);
});

test('parts stay where the run says so, until they are compacted by command', async () => {
  await driven.drive({ begin: { ...run, keepParts: true } });
  expect(await keysIn('results')).toEqual([]);
  const before = JSON.stringify(await readRows());
  const tried = await driven.drive({ resume: run.run, compact: true });
  expect(tried).toEqual([]);
  expect(await keysIn('parts')).toEqual([]);
  expect(await keysIn('results')).toHaveLength(chunks);
  expect(JSON.stringify(await readRows())).toBe(before);
  const failedByClass = { 'not-found': concerned };
  await driven.expectSound({ captioned: images - concerned, failedByClass });
  const { summary } = await readRunState(driven.runStore);
  expect(summary).toMatchObject({ generation: 1, parts: 0, retried: null });
  captions.reset();
  await driven.drive({ resume: run.run, compact: true });
  expect(captions.total).toBeLessThanOrEqual(10); // there is nothing to do
});

test('a run of one small chunk stays in parts', async () => {
  const small = new DrivenRun(run, 100);
  await small.drive({ begin: run });
  const keys = [];
  for await (const { key } of small.captions.list()) keys.push(key);
  expect(keys.filter((key) => key.includes('/parts/'))).toHaveLength(7);
  expect(keys.filter((key) => key.includes('/results/'))).toEqual([]);
});

test('a producer that wakes does not take away what its successor counts', async () => {
  const { runStore } = driven;
  const { createClaim } = runStore;
  const put = captions.put.bind(captions);
  // It slept from here on: another has claimed the run when it has written its first ledger.
  captions.put = async (key, bytes, options) => {
    const done = await put(key, bytes, options);
    if (key.endsWith('ledger/000000.json')) {
      const claims = await runStore.readClaims();
      await createClaim.call(runStore, { ...claims[0]!, generation: 1, owner: 'another' });
    }
    return done;
  };
  await driven.drive({ begin: run });
  expect(await keysIn('results')).toHaveLength(chunks);
  expect(await keysIn('parts')).toHaveLength(63); // the other may have looked for ledgers before
});

test('results that may not be deleted are no reason to stop', async () => {
  captions.delete = async (key) => {
    throw new StoreError('access-denied', `S3 denies ${key} (403).`);
  };
  await driven.drive({ begin: run });
  const failedByClass = { 'not-found': concerned };
  await driven.expectSound({ captioned: images - concerned, failedByClass });
  expect(await keysIn('parts')).toHaveLength(63);
  expect((await readRunState(driven.runStore)).summary).toMatchObject({ parts: 0 });
});

test.each<[what: string, change: (rows: AttemptedRow[]) => AttemptedRow[], problem: string]>([
  [
    'later attempts',
    (rows) => rows.map((each) => ({ ...each, attempt: '9' })),
    'results/000003.parquet: "000768.jpg" has a row of attempt 9, which is later than its ledger',
  ],
  [
    'fewer rows',
    (rows) => rows.slice(0, -1),
    'results/000003.parquet has 231 rows, chunk 3 has 232 images',
  ],
  [
    'another order',
    (rows) => rows.toReversed(),
    '"000768.jpg" has no row in results/000003.parquet',
  ],
])('verify finds a file with %s', async (_, change, problem) => {
  await driven.drive({ begin: run });
  const { prefix } = driven.runStore;
  const key = `${prefix}results/000003.parquet`;
  const ledger = (await driven.runStore.readLedger(3, 0)) as Ledger4;
  const rows = await readResultsFile(driven.runStore, ledger.results);
  const bytes = await formatResults(change(rows), { metadata: {} });
  await captions.put(key, bytes);
  const changed = 'results/000003.parquet was changed: its SHA-256 is another';
  expect((await verifyRun(driven.runStore)).problems).toContain(changed);
  const results = { ...ledger.results, sha256: sha256(bytes), bytes: bytes.length };
  const lying = Buffer.from(JSON.stringify({ ...ledger, results }));
  await captions.put(`${prefix}ledger/000003.json`, lying);
  const { problems } = await verifyRun(driven.runStore);
  expect(problems).not.toContain(changed);
  expect(problems).toContain(problem);
  await captions.delete(key);
  expect((await verifyRun(driven.runStore)).problems[0]).toMatch(
    /^results\/000003.parquet cannot be read: There is no object/,
  );
});

test.each([
  ['a file', run, 'results/000001.parquet'],
  ['a part', { ...run, keepParts: true as const }, 'parts/000020.jsonl'],
])('%s that was changed since is not taken up into another', async (_, begin, name) => {
  await driven.drive({ begin });
  const key = driven.runStore.prefix + name;
  const { bytes } = await captions.get(key);
  bytes[bytes.indexOf('one of')] = 'O'.charCodeAt(0);
  await captions.put(key, bytes);
  driven.outcomeOf = mended;
  const again = { resume: run.run, retry: ['not-found' as const], compact: true };
  await expect(driven.drive(again)).rejects.toThrow(`${name} is not the`);
  expect((await captions.get(key)).bytes).toEqual(bytes);
});

test('rows are found where they are since: of a chunk that was compacted while it was read', async () => {
  await driven.drive({ begin: { ...run, keepParts: true } });
  const { runStore } = driven;
  const state = await glanceAtRun(runStore);
  const reader = new RowReader(runStore, state);
  const places = [];
  const keys = [];
  for await (const { rows } of placeRows(runStore, state)) {
    keys.push(...rows.map(({ row }) => row.key));
    places.push(rows[0]!.place);
    if (places.length === 3) await driven.drive({ resume: run.run, compact: true });
  }
  expect(keys).toEqual(Array.from({ length: images }, (_, n) => keyOf(n)));
  for (const place of places) {
    expect((await reader.read(place)).key).toBe(keyOf(place.chunk * 256 + place.image));
  }
});

test('a chunk that was compacted between the look for its ledger and for its parts has its rows', async () => {
  await driven.drive({ begin: run });
  const { runStore } = driven;
  const state = { ...(await readRunState(runStore)), summary: undefined };
  const findLedger = runStore.findLedger.bind(runStore);
  const looked = new Set<number>();
  runStore.findLedger = async (chunk) => {
    const isFirst = !looked.has(chunk);
    looked.add(chunk);
    return isFirst ? undefined : findLedger(chunk);
  };
  let rows = 0;
  for await (const batch of placeRows(runStore, state)) rows += batch.rows.length;
  expect(rows).toBe(images);
});
