import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PartRow, ReviewLog, readReviews, readRunState } from '@cutline/shared/run';
import { MemoryStore, StorePool } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { corrected } from '../../../packages/shared/test/support/example-reviews.ts';
import { exampleRun, time } from '../../../packages/shared/test/support/example-run.ts';
import { createRun } from '../../../test/support/finished-run.ts';
import {
  FileResults,
  type Results,
  RunResults,
  reviewedRows,
  rowsPath,
} from '../dist/results/index.js';
import { captionedRow, failedRow, skippedRow } from './gallery-rows.ts';

/** Rows of a run and rows of a file, to whoever takes either. */

let folder: string;
let path: string;
let stores: StorePool;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-results-'));
  path = join(folder, 'rows.jsonl');
  stores = new StorePool({});
});
afterEach(async () => {
  await stores.close();
  await rm(folder, { recursive: true });
});

const rows: PartRow[] = [
  captionedRow({ key: 'a.jpg', caption: 'ein Hügel – 山' }),
  failedRow('b.jpg', { class: 'timeout', message: 'too slow' }),
  skippedRow('notes.txt', 'not-an-image'),
  captionedRow({ key: 'c.jpg', caption: 'a dog' }),
];
const lines = (ending = '\n') => rows.map((row) => JSON.stringify(row) + ending).join('');

const kinds: Record<string, () => Promise<Results>> = {
  'a run': async () => {
    const run = await createRun(new MemoryStore(), rows);
    return new RunResults(run, await readRunState(run));
  },
  'a file': async () => {
    await writeFile(path, lines());
    return FileResults.open(path, stores);
  },
  'a file with other line ends, without the last, and with a mark at its beginning': async () => {
    await writeFile(path, `\uFEFF${lines('\r\n').trimEnd()}`);
    return FileResults.open(path, stores);
  },
};

describe.each(Object.entries(kinds))('%s', (_, open) => {
  test('has its rows in order, and each of them by its place', async () => {
    const results = await open();
    const found = [];
    for await (const batch of results.batches()) found.push(...batch);
    expect(found.map(({ row }) => row)).toEqual(rows);
    for (const { row, place } of found.toReversed()) {
      expect(await results.readRow(place)).toEqual(row);
    }
  });

  test('is counted', async () => {
    const { model, images, captioned, skipped, failed } = await (await open()).overview();
    expect({ images, captioned, skipped, failed }).toEqual({
      ...{ images: 4, captioned: 2, skipped: 1, failed: 1 },
    });
    expect(model).not.toBe('');
  });

  test('has what people decided beside it, which wins', async () => {
    const results = await open();
    const log = new ReviewLog(results.papers, 'anna', () => new Date(time));
    const [a] = rows;
    await log.add({ ...corrected('a.jpg', 'a hill'), etag: a?.etag ?? null });
    const said = [];
    for await (const batch of reviewedRows(results, await readReviews(results.papers))) {
      said.push(...batch.map(({ row }) => ('caption' in row ? row.caption : row.status)));
    }
    expect(said).toEqual(['a hill', 'failed', 'skipped', 'a dog']);
  });
});

test('the papers of a file lie beside it, and name the run that it is', async () => {
  await writeFile(path, lines());
  const { papers } = await FileResults.open(path, stores);
  expect([papers.run, papers.prefix]).toEqual(['rows', 'rows.jsonl.cutline/']);
  await papers.createRun(exampleRun);
  expect(await readdir(folder)).toEqual(['rows.jsonl', 'rows.jsonl.cutline']);
  const again = await FileResults.open(path, stores);
  expect(again.papers.run).toBe(exampleRun.run);
  expect(again.request).toEqual(exampleRun);
});

test('what was decided before rows were exported stands until somebody decides again', async () => {
  const row = { ...captionedRow({ key: 'a.jpg' }), etag: 'e' };
  const judged = { decision: 'rejected', caption: null, who: 'ben', at: time } as const;
  const before = { key: 'a.jpg', etag: 'e', status: 'reviewed', ...judged, row } as const;
  await writeFile(path, `${JSON.stringify(before)}\n`);
  const results = await FileResults.open(path, stores);
  const first = async () => {
    for await (const [found] of reviewedRows(results, await readReviews(results.papers))) {
      return found?.row;
    }
    return undefined;
  };
  expect(await first()).toEqual(before);
  await new ReviewLog(results.papers, 'anna', () => new Date(time)).add({
    ...corrected('a.jpg', 'a hill'),
    etag: 'e',
  });
  expect(await first()).toMatchObject({ caption: 'a hill', who: 'anna', row });
});

test('a file that is made of rows stands for the rows', () => {
  expect(
    ['a.csv', 'b/a.b.HTML', 'c.xlsx', 'd.jsonl', 'e.ndjson', 'f'].map((file) => rowsPath(file)),
  ).toEqual([...['a.jsonl', 'b/a.b.jsonl', 'c.jsonl', 'd.jsonl', 'e.ndjson', 'f']]);
});
