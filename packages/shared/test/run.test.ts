import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type Ledger,
  newRunName,
  RunStore,
  readRunState,
  runIdSchema,
  type Summary,
} from '@cutline/shared/run';
import { openStore } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { captionedRow, claimOf, exampleRun, skippedRow, time } from './support/example-run.ts';

let folder: string;
let store: RunStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-run-'));
  store = new RunStore(await openStore(pathToFileURL(folder).href), 'a/b/', 'r1');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = exampleRun;
const rows = [skippedRow('a')];

const ledger: Ledger = {
  format: 2,
  run: 'r1',
  chunk: 0,
  generation: 0,
  manifest: { name: 'manifest/000000.jsonl.gz', sha256: 'f00' },
  images: 3,
  captioned: 1,
  skipped: 1,
  failed: 1,
  skippedByReason: { duplicate: 1 },
  failedByClass: { corrupt: 1 },
  parts: [{ name: 'parts/000000.jsonl', sha256: 'ba5' }],
  closed: time,
};

const { chunk: _chunk, manifest: _manifest, closed: _closed, ...totals } = ledger;
const summary: Summary = {
  ...totals,
  chunks: 1,
  parts: 1,
  model: run.model,
  created: time,
  finished: time,
  imagesPerSecond: 1,
  retried: null,
};

test('a run is named for the second in which it began, in UTC', () => {
  const name = newRunName(new Date('2026-11-22T21:43:12.999+01:00'));
  expect(name).toBe('20261122-204312');
  expect(runIdSchema.safeParse(name).success).toBe(true);
});

describe('run.json', () => {
  test('is written where the run is, and read back', async () => {
    expect(await store.exists()).toBe(false);
    expect(await store.createRun(run)).toBe(true);
    expect(await store.exists()).toBe(true);
    expect(await store.readRun()).toEqual(run);
    expect(await store.store.head('a/b/runs/r1/run.json')).toBeDefined();
  });

  test('stays as it is, where another wants the same name', async () => {
    await store.createRun(run);
    expect(await store.createRun({ ...run, batchSize: 9 })).toBe(false);
    expect(await store.readRun()).toEqual(run);
  });

  test('that is not there says where to look', async () => {
    await expect(store.readRun()).rejects.toThrow(
      /^There is no run "r1" in file:.* \(no a\/b\/runs\/r1\/run\.json\)\. Check --output and the run's name/,
    );
  });

  test.each([
    ['cut off', '{"format": 2,'],
    ['of another version', JSON.stringify({ ...run, format: 1 })],
    ['with a field that this version does not know', JSON.stringify({ ...run, colour: 'red' })],
  ])('that is %s is refused by its name', async (_, text) => {
    await store.store.put('a/b/runs/r1/run.json', Buffer.from(text));
    await expect(store.readRun()).rejects.toThrow(
      /runs\/r1\/run\.json is not a run\.json that this version of Cutline understands/,
    );
  });
});

describe('claims', () => {
  test('of one number are one, however many want it', async () => {
    const owners = Array.from({ length: 8 }, (_, n) => `process ${n}`);
    const made = await Promise.all(owners.map((owner) => store.createClaim(claimOf(0, { owner }))));
    expect(made.filter(Boolean)).toHaveLength(1);
    const winner = owners[made.indexOf(true)];
    expect(await store.readClaims()).toEqual([claimOf(0, { owner: winner as string })]);
  });

  test('are read in their order, and tell those before that they are superseded', async () => {
    const claims = Array.from({ length: 11 }, (_, n) => claimOf(n, { owner: `process ${n * n}` }));
    for (const claim of claims) {
      expect(await store.createClaim(claim)).toBe(true);
      expect(await store.isSuperseded(claim.generation, 'anybody')).toBe(false);
    }
    expect(await store.readClaims()).toEqual(claims);
    expect(await store.isSuperseded(9, 'anybody')).toBe(true);
  });

  test('are not superseded by later ones of the same owner', async () => {
    const owner = 'one process';
    for (const n of [0, 1, 2]) await store.createClaim(claimOf(n, { owner }));
    expect(await store.isSuperseded(0, owner)).toBe(false);
    await store.createClaim(claimOf(3, { owner: 'another' }));
    expect(await store.isSuperseded(0, owner)).toBe(true);
  });

  test('are read with what they took over, which is said once', async () => {
    for (const n of [0, 1]) await store.createClaim(claimOf(n));
    const takeover = { chunks: 3, follows: 0 };
    expect(await store.createTakeover(1, takeover)).toBe(true);
    expect(await store.createTakeover(1, { chunks: 2, follows: 0 })).toBe(false);
    expect(await store.readClaims()).toEqual([claimOf(0), claimOf(1, { takeover })]);
    expect(await store.countClaims()).toBe(2);
    expect(await store.isSuperseded(0, 'anybody')).toBe(true);
  });

  test('of format 2 say themselves what they took over', async () => {
    const put = (generation: number, fields: object) => {
      const claim = { ...claimOf(generation), format: 2, ...fields };
      const key = `${store.prefix}claims/00000${generation}.json`;
      return store.store.put(key, Buffer.from(JSON.stringify(claim)));
    };
    await put(0, { chunks: 0, images: null });
    await put(1, { kind: 'cancel', chunks: 2, images: null });
    await put(2, { chunks: 2, images: null });
    await put(3, { chunks: 4, images: 40 });
    await store.createClaim(claimOf(4));
    const takeover = { chunks: 2, follows: 0 };
    expect(await store.readClaims()).toEqual([
      claimOf(0),
      claimOf(1, { kind: 'cancel' }),
      claimOf(2, { takeover }),
      claimOf(3),
      claimOf(4),
    ]);
  });
});

describe('parts', () => {
  test('are found by batch, with all their attempts', async () => {
    for (const attempt of ['0', '0r', '1']) await store.createPart(7, attempt, rows);
    await store.createPart(1_234_567, '0ab', rows);
    const parts = await store.listParts();
    expect(new Set(parts.map(({ batch, attempt }) => `${batch} ${attempt}`))).toEqual(
      new Set(['7 0', '7 0r', '7 1', '1234567 0ab']),
    );
    expect((await store.readPart(parts.at(-1)!)).rows).toEqual(rows);
  });

  test('of a range of batches are listed alone, all their attempts with them', async () => {
    const attempts = ['0', '0r', '0e', '1', '12ab'];
    for (let batch = 0; batch < 6; batch++) {
      for (const attempt of attempts) await store.createPart(batch, attempt, rows);
    }
    const listed = async (first?: number, end?: number) => {
      const parts = await store.listParts(first, end);
      return parts.map(({ batch, attempt }) => `${batch}.${attempt}`).toSorted();
    };
    const expected = (...batches: number[]) =>
      batches.flatMap((batch) => attempts.map((attempt) => `${batch}.${attempt}`)).toSorted();
    expect(await listed(2, 4)).toEqual(expected(2, 3));
    expect(await listed(0, 1)).toEqual(expected(0));
    expect(await listed(4)).toEqual(expected(4, 5));
    expect(await listed(6, 9)).toEqual([]);
  });

  test('keep the rows that were written first, which count for both writers', async () => {
    const [mine, other] = [[captionedRow('a', 'a dog')], [captionedRow('a', 'a cat')]];
    expect(await store.createPart(0, '0', mine)).toEqual(mine);
    expect(await store.createPart(0, '0', other)).toEqual(mine);
    expect((await store.readPart((await store.listParts())[0]!)).rows).toEqual(mine);
  });

  test('that their readers would refuse are not written', async () => {
    const row = { ...captionedRow('a'), score: Number.NaN };
    await expect(store.createPart(0, '0', [row])).rejects.toThrow();
    expect(await store.listParts()).toEqual([]);
  });

  test('have names that say batch and attempt', () => {
    expect(store.partKey(0, '0')).toBe('a/b/runs/r1/parts/000000.jsonl');
    expect(store.partKey(12, '0ra')).toBe('a/b/runs/r1/parts/000012.0ra.jsonl');
  });

  test('are listed in the order of their batches, also beyond six digits', async () => {
    const batches = [99, 100, 101, 999_999, 1_000_000, 1_000_001, 9_999_999, 10_000_000];
    for (const batch of batches.toReversed()) await store.createPart(batch, '0', rows);
    const numbers = async (...range: number[]) =>
      (await store.listParts(...range)).map(({ batch }) => batch);
    expect(await numbers()).toEqual(batches);
    expect(await numbers(100, 102)).toEqual([100, 101]);
    expect(await numbers(999_999, 1_000_001)).toEqual([999_999, 1_000_000]);
    expect(await numbers(9_999_999)).toEqual([9_999_999, 10_000_000]);
    expect(store.partKey(1_000_000, '1a')).toBe('a/b/runs/r1/parts/a1000000.1a.jsonl');
  });

  test('are not mistaken for what else somebody put there', async () => {
    for (const name of [
      'notes.txt',
      '1000000.jsonl', // it would not sort
      'a000001.jsonl',
      'x.jsonl',
      '000001.0.jsonl', // the first attempt has no suffix
      '1.jsonl',
      '000001.0.0.jsonl',
      '000001.0z.jsonl',
      'copy/000001.jsonl',
    ]) {
      await store.store.put(`a/b/runs/r1/parts/${name}`, Buffer.from('{}'));
    }
    await new RunStore(store.store, 'a/b/', 'r11').createPart(0, '0', rows);
    expect(await store.listParts()).toEqual([]);
  });
});

describe('ledgers', () => {
  test('are read as they were written; of each chunk, the latest generation counts', async () => {
    for (const [chunk, generation] of [
      [0, 0],
      [0, 2],
      [0, 10],
      [1, 1],
    ] as const) {
      const each = { ...ledger, chunk, generation };
      expect(await store.createLedger(each)).toEqual(each);
      expect(await store.readLedger(chunk, generation)).toEqual(each);
    }
    expect(await store.listLedgers()).toEqual(
      new Map([
        [0, 10],
        [1, 1],
      ]),
    );
  });

  test('are found one by one, also beyond six digits', async () => {
    for (const [chunk, generation] of [
      [100_000, 1],
      [1_000_000, 0],
      [1_000_000, 2],
    ] as const) {
      await store.createLedger({ ...ledger, chunk, generation });
    }
    expect(await store.findLedger(100_000)).toBe(1);
    expect(await store.findLedger(1_000_000)).toBe(2);
    expect(await store.findLedger(10_000)).toBeUndefined();
    expect((await store.readLedger(1_000_000, 2)).chunk).toBe(1_000_000);
  });

  test('of one generation are one: the first', async () => {
    await store.createLedger(ledger);
    const other = { ...ledger, parts: [] };
    expect(await store.createLedger(other)).toEqual(ledger);
    expect(await store.readLedger(0, 0)).toEqual(ledger);
  });

  test.each([
    ['counts an image twice', { captioned: 2 }],
    ['has fewer failures than classes say', { failedByClass: { corrupt: 2 } }],
    ['has more skipped than reasons say', { skippedByReason: {} }],
  ])('are refused where one %s', async (_, fields) => {
    await expect(store.createLedger({ ...ledger, ...fields })).rejects.toThrow(
      /^the ledger of chunk 0 does not add up/,
    );
    expect(await store.listLedgers()).toEqual(new Map());
  });

  test('that are gone are missed by name', async () => {
    await expect(store.readLedger(3, 1)).rejects.toThrow(
      /runs\/r1\/ledger\/000003\.1\.json is gone/,
    );
  });
});

describe('summary.json', () => {
  test('is written once, and then replaced only by whoever has read it', async () => {
    expect(await store.readSummary()).toBeUndefined();
    expect(await store.writeSummary(summary, undefined)).toBe(true);
    expect(await store.writeSummary({ ...summary, generation: 9 }, undefined)).toBe(false);
    const before = await store.readSummary();
    expect(before?.value).toEqual(summary);
    const retried = { ...summary, generation: 1, retried: '2026-11-23T00:00:00.000Z' };
    expect(await store.writeSummary(retried, before?.etag)).toBe(true);
    expect(await store.writeSummary({ ...summary, generation: 2 }, before?.etag)).toBe(false);
    expect((await store.readSummary())?.value).toEqual(retried);
  });

  test('that does not add up is not written', async () => {
    await expect(store.writeSummary({ ...summary, failed: 2 }, undefined)).rejects.toThrow(
      /^the summary does not add up: 1 captioned \+ 1 skipped \+ 2 failed is not 3 images/,
    );
    expect(await store.readSummary()).toBeUndefined();
  });
});

describe('the state of a run', () => {
  beforeEach(async () => {
    await store.createRun(run);
    await store.createClaim(claimOf(0));
  });

  test('is unfinished until there is a summary, and every attempt is wanted', async () => {
    const state = await readRunState(store);
    expect(state).toMatchObject({ run, summary: undefined, isCancelled: false, floor: 0 });
  });

  test('is finished by a summary of the last claim: no attempt is wanted any more', async () => {
    await store.writeSummary(summary, undefined);
    expect(await readRunState(store)).toMatchObject({ summary, floor: 1 });
  });

  test('goes on when somebody claims it after that; attempts of before stay void', async () => {
    await store.writeSummary(summary, undefined);
    await store.createClaim(claimOf(1, { retry: ['corrupt'] }));
    const state = await readRunState(store);
    expect(state).toMatchObject({ summary: undefined, floor: 1 });
    expect(state.lastSummary?.value).toEqual(summary);
  });

  test('is cancelled by a claim that says so, which voids all attempts before it', async () => {
    await store.createClaim(claimOf(1, { kind: 'cancel' }));
    expect(await readRunState(store)).toMatchObject({ isCancelled: true, floor: 1 });
    await store.createClaim(claimOf(2));
    expect(await readRunState(store)).toMatchObject({ isCancelled: false, floor: 1 });
  });

  test('stays finished where somebody cancels it who slept since it was not', async () => {
    await store.writeSummary(summary, undefined);
    await store.createClaim(claimOf(1, { kind: 'cancel' }));
    expect(await readRunState(store)).toMatchObject({ summary, isCancelled: false, floor: 1 });
  });
});
