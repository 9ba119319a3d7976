import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  countRows,
  createChunk,
  createEnd,
  type PartRow,
  ReviewLog,
  RunStore,
} from '@cutline/shared/run';
import { openStore } from '@cutline/shared/stores';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { corrected, rejected } from '../../../packages/shared/test/support/example-reviews.ts';
import {
  captionedRow,
  claimOf,
  exampleRun,
  failedRow,
  imageOf,
  skippedRow,
  time,
} from '../../../packages/shared/test/support/example-run.ts';
import { runInProcess } from '../../../test/support/run-in-process.ts';

/** `cutline export`, as people and scripts see it, of a run in a folder. */

let folder: string;
let run: RunStore;

const rows: PartRow[] = [
  captionedRow('a.jpg'),
  { ...captionedRow('b.jpg'), score: -3 },
  failedRow('c.jpg'),
  failedRow('d.jpg', 'empty'),
  skippedRow('notes.txt', 'not-an-image'),
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-export-'));
  run = new RunStore(await openStore(`file://${folder}`, {}), '', exampleRun.run);
  await run.createRun(exampleRun);
  await run.createClaim(claimOf(0));
  const images = rows.map((row) =>
    imageOf(row.key, row.status === 'skipped' ? row.reason : undefined),
  );
  await createChunk(run, 0, 0, images.slice(0, 4));
  await createChunk(run, 1, 0, images.slice(4));
  await createEnd(run, 0, { images: 5, chunks: 2 });
  for (let batch = 0; batch < 3; batch++) {
    await run.createPart(batch, '0', rows.slice(2 * batch, 2 * batch + 2));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What it prints, and how it ends: here, but for the first time. */
function cutline(...args: string[]) {
  return exportOf('r1', '--output', folder, ...args);
}

/** The same, of what is named first. */
function exportOf(...args: string[]) {
  return runInProcess(['export', ...args], {}, folder);
}

const keysOf = (jsonl: string) =>
  jsonl
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).key);

test('rows go to standard output, in the order of the manifest, and the rest to the other', async () => {
  const program = fileURLToPath(new URL('../bin/cutline.js', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [program, 'export', 'r1', '--output', folder, '--to', 'jsonl'],
    { cwd: folder },
  );
  expect(stderr).toBe('5 rows\nRun r1 is not finished: this is what it has so far.\n');
  expect(stdout).toBe(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});

test('a finished run says nothing more, and its rows may be chosen', async () => {
  await run.writeSummary(
    {
      ...{ format: 2, run: 'r1', generation: 0, ...countRows(rows), chunks: 2, parts: 3 },
      ...{ model: exampleRun.model, created: time, finished: time },
      ...{ imagesPerSecond: 1, retried: null },
    },
    undefined,
  );
  const choices = new Map([
    ['--status captioned', ['a.jpg', 'b.jpg']],
    ['--status failed skipped', ['c.jpg', 'd.jpg', 'notes.txt']],
    ['--class empty', ['d.jpg']],
    ['--min-score -2', ['a.jpg']],
  ]);
  for (const [flags, keys] of choices) {
    const { code, stdout, stderr } = await cutline('--to', 'jsonl', ...flags.split(' '));
    expect({ flags, code, stderr, keys: keysOf(stdout) }).toEqual({
      ...{ flags, code: 0, keys },
      stderr: `${keys.length} row${keys.length === 1 ? '' : 's'}\n`,
    });
  }
});

test.each(['csv', 'xlsx', 'parquet', 'jsonl'])(
  'a file of --to %s is written again, and no other is replaced',
  async (to) => {
    const file = `results.${to}`;
    for (const _ of ['first', 'again']) {
      const { code, stderr } = await cutline('--to', to, '-o', file);
      expect({ code, stderr }).toEqual({ code: 0, stderr: `${file}: 5 rows\n` });
    }
    const own = await readFile(join(folder, file));
    const edited = 'key,etag,status\r\na.jpg,,captioned\r\n';
    await writeFile(join(folder, file), edited);
    const { code, stderr } = await cutline('--to', to, '-o', file);
    expect(code).toBe(2);
    expect(stderr).toMatch(/results\.\w+ is there already, and was not made by Cutline: choose/);
    expect(await readFile(join(folder, file), 'utf8')).toBe(edited);
    expect(own.length).toBeGreaterThan(100);
  },
);

test('annotation pages go to a folder', async () => {
  const link = ['--link', 'https://example.org/{key}'];
  const { code, stderr } = await cutline('--to', 'iiif', '-o', 'pages', ...link);
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'pages: 2 pages written\n' });
  expect((await readdir(join(folder, 'pages'))).toSorted()).toEqual([
    'a.jpg.annotations.json',
    'b.jpg.annotations.json',
  ]);
  const page = JSON.parse(await readFile(join(folder, 'pages/a.jpg.annotations.json'), 'utf8'));
  expect(page.id).toBe('https://example.org/a.jpg.annotations.json');
  expect(page.items[0].target).toBe('https://example.org/a.jpg');
  expect((await cutline('--to', 'iiif', '-o', 'pages', ...link)).stderr).toBe(
    'pages: 0 pages written, 2 there already\n',
  );
});

test('what people decided is in every row, and may be had alone', async () => {
  const log = new ReviewLog(run, 'anna', () => new Date(time));
  await log.add(corrected('b.jpg', 'our b'));
  await log.add(rejected('a.jpg'));
  const choices = new Map([
    ['--reviewed', ['a.jpg', 'b.jpg']],
    ['--status captioned', ['b.jpg']],
    ['--min-score -2', ['b.jpg']],
    ['--status failed skipped', ['c.jpg', 'd.jpg', 'notes.txt']],
  ]);
  for (const [flags, keys] of choices) {
    const { stdout } = await cutline('--to', 'jsonl', ...flags.split(' '));
    expect({ flags, keys: keysOf(stdout) }).toEqual({ flags, keys });
  }
  const { stdout } = await cutline('--to', 'csv', '--reviewed');
  expect(stdout.split('\r\n')[2]).toMatch(
    /^b\.jpg,.*,reviewed,our b,.*,corrected,anna,.*,a b\.jpg$/,
  );
});

test('rows of a file are exported, too, without any run', async () => {
  const { stdout } = await cutline('--to', 'jsonl');
  await writeFile(join(folder, 'rows.jsonl'), stdout);
  const again = await exportOf('rows.jsonl', '--to', 'jsonl', '--status', 'captioned');
  expect(again).toMatchObject({ code: 0, stderr: '1 row\n' });
  expect(stdout).toContain(again.stdout);

  await writeFile(join(folder, 'torn.jsonl'), stdout.slice(0, -9));
  const torn = await exportOf('torn.jsonl', '--to', 'csv');
  expect(torn.code).toBe(2);
  expect(torn.stderr).toMatch(
    /^cutline: torn\.jsonl, line 5: expected a row of results, found \{"key/,
  );
  const none = await exportOf('./none.jsonl', '--to', 'csv', '-o', 'none.csv');
  expect(none).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/cannot be read \(ENOENT\)/),
  });
});

test('flags that say nothing together are refused in a line', async () => {
  const refusals = new Map([
    ['--to jsonl --bom', /^cutline: --bom is for --to csv\.\n$/],
    ['--to iiif', /^cutline: --to iiif takes --link .*, and -o, a folder/],
    ['--to csv --link https://a.org/{key}', /^cutline: --link and --pages are for --to iiif\.\n$/],
    ['--to csv --class empty --status captioned', /^cutline: --class is about failures/],
    ['--to csv --min-score -1 --status failed', /^cutline: --min-score is about captions/],
    ['--to csv -o s3://bucket/a.csv', /expected a file on this machine\.\n$/],
    ['--to iiif -o pages --link https://a.org/', /is no pattern of URLs/],
    ['--to pdf', /Allowed choices are csv, xlsx, parquet, jsonl, iiif/],
  ]);
  for (const [flags, message] of refusals) {
    const { code, stdout, stderr } = await cutline(...flags.split(' '));
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  }
});
