import {
  type DriveRunContext,
  driveRun,
  type EncodeJob,
  encodeJobSchema,
  MemoryBoard,
  MemoryQueueServer,
} from '@cutline/pipeline';
import type { FailureClass } from '@cutline/shared/errors';
import { createLogger, Metrics } from '@cutline/shared/process';
import {
  glanceAtRun,
  type ImageRef,
  type PartRow,
  RunStore,
  readReviewedResults,
  readRunState,
  type Usage,
  verifyRun,
} from '@cutline/shared/run';
import { MemoryStore, type ObjectInfo } from '@cutline/shared/stores';
import { beforeEach, expect, test } from 'vitest';
import {
  captionedRow,
  exampleRun,
  failedRow,
  skippedRow,
} from '../../shared/test/support/example-run.ts';
import { CountingStore } from './support/counting-store.ts';
import { ManualWorld } from './support/manual-world.ts';

/**
 * What a retry, and reading results, ask of the output store: in memory, with a worker that knows
 * what becomes of an image.
 */

const run = { ...exampleRun, batchSize: 16, chunkBatches: 16 };
const images = 1_024;
const parts = images / run.batchSize;
const chunks = parts / run.chunkBatches;
/** Claim, run, summary and the like, whatever the run's size. */
const ofRun = 25;
/** One image in fifty, no two of a batch. */
const concerned = Math.ceil(images / 50);

let captions: CountingStore;
let runStore: RunStore;
/** What becomes of an image when it is tried next. */
let outcomeOf: (image: number) => FailureClass | undefined;
let usageOf: (image: number) => Usage | undefined;

beforeEach(async () => {
  captions = new CountingStore('s3://captions');
  runStore = new RunStore(captions, '', run.run);
  outcomeOf = (image) => (image % 50 === 0 ? 'not-found' : undefined);
  usageOf = () => undefined;
  isArchived = () => false;
});

/** Which images are archived, when they are listed. */
let isArchived: (image: number) => boolean;

class ColdStore extends MemoryStore {
  override async *list(...args: Parameters<MemoryStore['list']>): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(...args)) {
      yield isArchived(Number.parseInt(info.key, 10)) ? { ...info, archived: true } : info;
    }
  }
}

const keyOf = (image: number) => `${String(image).padStart(6, '0')}.jpg`;
const mended = () => undefined;

function rowOf({ key, skipped }: ImageRef): PartRow {
  if (skipped) return skippedRow(key, skipped);
  const image = Number.parseInt(key, 10);
  const failure = outcomeOf(image);
  const usage = usageOf(image);
  const row = failure ? failedRow(key, failure) : captionedRow(key, `one of ${image % 3}`);
  return { ...row, ...(usage && { usage }) };
}

/** Drives the run to its end, in no time. @returns keys, in the order in which they were tried */
async function drive(what: DriveRunContext['what']): Promise<string[]> {
  const world = new ManualWorld();
  const server = new MemoryQueueServer();
  const open = (stage: 'encode' | 'decode') =>
    server.open<EncodeJob>({ stage, model: run.model, lockMs: 30_000, world });
  const archive = new ColdStore(run.source.store);
  for (let image = 0; image < images; image++) await archive.put(keyOf(image), Buffer.from('-'));
  const tried: string[] = [];
  const queue = open('encode');
  const work = async () => {
    for (let job = await queue.take(3_600_000); job; job = await queue.take(3_600_000)) {
      const { batch, attempt, images: refs } = encodeJobSchema.parse(job.data);
      tried.push(...refs.map(({ key }) => key));
      await runStore.createPart(batch, attempt, refs.map(rowOf));
      await queue.finish(job);
    }
  };
  const working = work();
  const driven = driveRun({
    ...{ what, world, window: 8, output: { store: captions.url, prefix: '' } },
    board: new MemoryBoard({ world }),
    openStore: async (url) => (url === captions.url ? captions : archive),
    openQueues: () => ({ encode: open('encode'), decode: open('decode') as never }),
    metrics: new Metrics(),
    log: createLogger({ process: 'test', level: 'fatal' }),
  });
  await world.settle(driven).finally(() => queue.stopTaking());
  await working;
  return tried;
}

async function expectSound(counts: {
  captioned: number;
  failedByClass: object;
  skippedByReason?: object;
}): Promise<void> {
  expect((await verifyRun(runStore)).problems).toEqual([]);
  expect((await readRunState(runStore)).summary).toMatchObject({ images, ...counts });
}

test('a retry asks for what failed, and for nothing else', async () => {
  await drive({ begin: run });
  await expectSound({
    captioned: images - concerned,
    failedByClass: { 'not-found': concerned },
  });
  outcomeOf = (image) => (image === 500 ? 'corrupt' : undefined);
  captions.reset();
  const tried = await drive({ resume: run.run, retry: ['not-found'] });
  expect(tried).toHaveLength(concerned);
  expect(captions.count('get', '/parts/')).toBe(concerned); // the new ones, none of the old
  expect(captions.total).toBeLessThanOrEqual(2 * concerned + 7 * chunks + ofRun);
  await expectSound({ captioned: images - 1, failedByClass: { corrupt: 1 } });
});

test('the first is tried before the chunks that follow are looked at', async () => {
  await drive({ begin: run });
  outcomeOf = mended;
  captions.reset();
  await drive({ resume: run.run, retry: ['not-found'] });
  const puts = captions.requests.findIndex(
    ({ operation, key }) => operation === 'put' && key.includes('/parts/'),
  );
  const before = captions.requests.slice(0, puts);
  expect(before.filter(({ key }) => key.includes('/manifest/0'))).toHaveLength(1);
  expect(before.filter(({ key }) => key.includes('/parts/'))).toEqual([]);
});

test('failures of other classes stay as they are, and may be tried later', async () => {
  outcomeOf = (image) => [undefined, 'not-found', 'corrupt'][image % 3] as FailureClass | undefined;
  await drive({ begin: run });
  outcomeOf = (image) => (image % 2 === 0 ? 'not-found' : undefined);
  await drive({ resume: run.run, retry: ['not-found'] });
  await expectSound({ captioned: 513, failedByClass: { 'not-found': 170, corrupt: 341 } });
  outcomeOf = mended;
  await drive({ resume: run.run, retry: ['corrupt'] });
  await expectSound({ captioned: 854, failedByClass: { 'not-found': 170 } });
  await drive({ resume: run.run, retry: ['not-found'] });
  await expectSound({ captioned: images, failedByClass: {} });
});

test('a part of which no row counts any more is not named any more', async () => {
  outcomeOf = (image) => (image < run.batchSize ? 'not-found' : undefined);
  await drive({ begin: run });
  outcomeOf = mended;
  await drive({ resume: run.run, retry: ['not-found'] });
  const names = (await runStore.readLedger(0, 1)).parts.map(({ name }) => name);
  expect(names).toContain('parts/000000.1.jsonl');
  expect(names).not.toContain('parts/000000.jsonl');
  await expectSound({ captioned: images, failedByClass: {} });
});

test('what answers took that were no captions goes with the failures', async () => {
  usageOf = (image) => ({ promptTokens: 100 + image, completionTokens: 7, seconds: 0.125 });
  await drive({ begin: run });
  usageOf = () => ({ promptTokens: 1, completionTokens: 1, seconds: 0.5 });
  outcomeOf = mended;
  await drive({ resume: run.run, retry: ['not-found'] });
  await expectSound({ captioned: images, failedByClass: {} });
});

test('what is archived is skipped, and tried when it is said to be restored, and not before', async () => {
  isArchived = (image) => image % 100 === 7;
  const archived = 11;
  const failed = { 'not-found': concerned };
  await drive({ begin: run });
  const captioned = images - concerned - archived;
  await expectSound({ captioned, failedByClass: failed, skippedByReason: { archived } });

  const all = await drive({ resume: run.run, retry: ['not-found'] });
  expect(all).toHaveLength(concerned);
  await expectSound({ captioned, failedByClass: failed, skippedByReason: { archived } });

  outcomeOf = (image) => (image === 7 ? 'access-denied' : undefined); // this one was not restored
  const tried = await drive({ resume: run.run, retry: ['archived'] });
  expect(tried).toEqual(Array.from({ length: archived }, (_, n) => keyOf(100 * n + 7)));
  await expectSound({
    captioned: captioned + archived - 1,
    failedByClass: { ...failed, 'access-denied': 1 },
    skippedByReason: {},
  });
  outcomeOf = mended;
  await drive({ resume: run.run, retry: ['access-denied', 'not-found', 'archived'] });
  await expectSound({ captioned: images, failedByClass: {}, skippedByReason: {} });
});

test('a ledger of the version before is read, and its chunk held against all parts', async () => {
  await drive({ begin: run });
  for (const [chunk, generation] of await runStore.listLedgers()) {
    const ledger = await runStore.readLedger(chunk, generation);
    const before = ledger.parts.map(({ name, sha256 }) => ({ name, sha256 }));
    const name = runStore.prefix + runStore.ledgerName(chunk, generation);
    const old = { ...ledger, format: 2, parts: before };
    await captions.put(name, Buffer.from(JSON.stringify(old)));
  }
  await expectSound({ captioned: images - concerned, failedByClass: { 'not-found': concerned } });
  expect(await countRows()).toBe(images);
  outcomeOf = mended;
  await drive({ resume: run.run, retry: ['not-found'] });
  await expectSound({ captioned: images, failedByClass: {} });
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
  await drive({ begin: run });
  captions.reset();
  await countRows(5);
  expect(captions.total).toBeLessThanOrEqual(5);
  captions.reset();
  expect(await countRows()).toBe(images);
  expect(captions.total).toBeLessThanOrEqual(parts + chunks + 3);
});

test('rows of a batch that stand in several parts come in the order of the manifest', async () => {
  await drive({ begin: run });
  outcomeOf = mended;
  await drive({ resume: run.run, retry: ['not-found'] });
  const keys: string[] = [];
  for await (const rows of readReviewedResults(runStore, await glanceAtRun(runStore))) {
    keys.push(...rows.map(({ key }) => key));
  }
  expect(keys).toEqual(Array.from({ length: images }, (_, image) => keyOf(image)));
});

test('who goes on with a run is not hidden by the summary that it had', async () => {
  await drive({ begin: run });
  const { claims } = await readRunState(runStore);
  await runStore.createClaim({
    ...claims[0]!,
    generation: 1,
    chunks,
    images,
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
  await drive({ begin: run });
  const key = runStore.prefix + name;
  const text = (await captions.get(key)).bytes.toString();
  expect(edit(text)).not.toBe(text);
  await captions.put(key, Buffer.from(edit(text)));
  expect((await verifyRun(runStore)).problems).toEqual([problem]);
});
