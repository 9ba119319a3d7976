import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { newRunName, type PartRow, type Run, RunStore, runIdSchema } from '@cutline/shared/run';
import { openStore } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
let store: RunStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-run-'));
  store = new RunStore(await openStore(pathToFileURL(folder).href), 'a/b/', 'r1');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run: Run = {
  format: 1,
  run: 'r1',
  created: '2026-11-22T20:43:12.000Z',
  source: { store: 's3://archive', prefix: '' },
  selection: { keysFrom: null, include: [], exclude: [], limit: null, sample: null },
  model: 'tiny@0123456789ab',
  options: {
    beamSize: 1,
    candidates: 1,
    lengthPenalty: 0,
    lengthMax: 9,
    lengthMin: 0,
    noRepeatNgram: 0,
    attention: false,
  },
  sidecars: [],
  batchSize: 64,
  generation: 0,
  images: null,
  cutline: '0.1.0',
};

const rows: PartRow[] = [{ key: 'a', etag: null, status: 'skipped', reason: 'duplicate' }];

test('a run is named for the second in which it began, in UTC', () => {
  const name = newRunName(new Date('2026-11-22T21:43:12.999+01:00'));
  expect(name).toBe('20261122-204312');
  expect(runIdSchema.safeParse(name).success).toBe(true);
});

describe('run.json', () => {
  test('is written where the run is, and read back', async () => {
    expect(await store.exists()).toBe(false);
    await store.writeRun(run);
    expect(await store.exists()).toBe(true);
    expect(await store.readRun()).toEqual(run);
    expect(await store.store.head('a/b/runs/r1/run.json')).toBeDefined();
  });

  test('that is not there says where to look', async () => {
    await expect(store.readRun()).rejects.toThrow(
      /^There is no run "r1" in file:.* \(no a\/b\/runs\/r1\/run\.json\)\. Check --output and the run's name/,
    );
  });

  test.each([
    ['cut off', '{"format": 1,'],
    ['of another version', JSON.stringify({ ...run, format: 2 })],
    ['with a field that this version does not know', JSON.stringify({ ...run, colour: 'red' })],
  ])('that is %s is refused by its name', async (_, text) => {
    await store.store.put('a/b/runs/r1/run.json', Buffer.from(text));
    await expect(store.readRun()).rejects.toThrow(
      /runs\/r1\/run\.json is not a run\.json that this version of Cutline understands/,
    );
  });
});

describe('parts', () => {
  test('are found by batch, with all their attempts', async () => {
    for (const attempt of ['0', '0r', '1']) await store.writePart({ batch: 7, attempt }, rows);
    await store.writePart({ batch: 1_234_567, attempt: '0ab' }, rows);
    const parts = await store.listParts();
    expect([...parts.keys()]).toEqual([7, 1_234_567]);
    expect(
      parts
        .get(7)
        ?.map(({ attempt }) => attempt)
        .toSorted(),
    ).toEqual(['0', '0r', '1']);
    expect(await store.readPart(parts.get(1_234_567)![0]!)).toEqual(rows);
  });

  test('have names that say batch and attempt', () => {
    expect(store.partKey(0, '0')).toBe('a/b/runs/r1/parts/000000.jsonl');
    expect(store.partKey(12, '0ra')).toBe('a/b/runs/r1/parts/000012.0ra.jsonl');
  });

  test('are not mistaken for what else somebody put there', async () => {
    for (const name of ['notes.txt', 'x.jsonl', '000001.0.0.jsonl', '000001.0z.jsonl']) {
      await store.store.put(`a/b/runs/r1/parts/${name}`, Buffer.from('{}'));
    }
    await new RunStore(store.store, 'a/b/', 'r11').writePart({ batch: 0, attempt: '0' }, rows);
    expect([...(await store.listParts()).keys()]).toEqual([]);
  });
});
