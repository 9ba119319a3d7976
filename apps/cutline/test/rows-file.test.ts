import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageRef, PartRow, Run } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exampleRun } from '../../../packages/shared/test/support/example-run.ts';
import { RowsFile } from '../dist/caption/rows-file.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-rows-'));
  path = join(folder, 'rows.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const model = 'm@0123456789ab';
const request: Run = { ...exampleRun, model };
const stores = new StorePool({});
const image = (key: string, etag: string | null = 'e'): ImageRef => ({ key, etag, bytes: 1 });
const said = { caption: 'a dog', logProb: -1, score: -1 };
const captioned = (key: string): PartRow => {
  const row = { key, etag: 'e', status: 'captioned' as const, ...said, candidates: [said] };
  return { ...row, width: 1, height: 1, model };
};
const failed = (key: string): PartRow => ({
  ...{ key, etag: 'e', status: 'failed' },
  failure: { class: 'corrupt', message: 'it is damaged' },
});
const skipped: PartRow = { key: 'd', etag: 'e', status: 'skipped', reason: 'not-an-image' };

async function write(...rows: PartRow[]): Promise<void> {
  const file = await RowsFile.open(path, request, stores);
  await file.write(rows);
  await file.close();
}

/** As if the process that holds it had died. */
const forgetLock = () => rm(join(folder, 'rows.jsonl.cutline', '.lock'));

const keys = async () =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).key);

test('what is done stays, what failed is tried again, once', async () => {
  await write(captioned('a'), failed('b'), captioned('c'), skipped);
  const file = await RowsFile.open(path, request, stores);
  expect(file.before).toBe(3);
  expect(['a', 'b', 'c', 'd', 'e'].map((key) => file.has(image(key)))).toEqual([
    ...[true, false, true, true, false],
  ]);
  await file.write([captioned('b'), captioned('e')]);
  await file.close();
  expect(await keys()).toEqual(['a', 'c', 'd', 'b', 'e']);
});

test('an image that was replaced is captioned again; of a list of keys, the key is enough', async () => {
  await write(captioned('a'));
  const file = await RowsFile.open(path, request, stores);
  expect(file.has(image('a', 'another'))).toBe(false);
  expect(file.has(image('a', null))).toBe(true);
  await file.close();
});

test('rows of images that are gone stay, unless they are dropped', async () => {
  await write(captioned('a/1'), captioned('b/1'), failed('b/2'), captioned('b/3'));
  const file = await RowsFile.open(path, request, stores);
  file.has(image('b/3'));
  expect(file.unasked('')).toHaveLength(3);
  const gone = file.unasked('b/');
  expect(gone).toHaveLength(2);
  await file.close();
  expect(await keys()).toHaveLength(4);
  const again = await RowsFile.open(path, request, stores);
  again.drop(gone);
  await again.close();
  expect(await keys()).toEqual(['a/1', 'b/3']);
});

test('of an image that was replaced, the row of before goes, also where the process died', async () => {
  await write(captioned('a'), captioned('b'));
  const again = { ...captioned('a'), etag: 'f' };
  await write(again, captioned('c'));
  expect(await keys()).toEqual(['b', 'a', 'c']);

  const file = await RowsFile.open(path, request, stores);
  await file.write([{ ...again, etag: 'g' }]); // and nothing closes it
  expect(await keys()).toEqual(['b', 'a', 'c', 'a']);
  await forgetLock();
  const next = await RowsFile.open(path, request, stores);
  expect(next.has(image('a', 'g'))).toBe(true);
  expect(next.before).toBe(3);
  await next.close();
  expect(await keys()).toEqual(['b', 'c', 'a']);
  await file.close().catch(() => {}); // its file is gone
});

test('what failed and is not among the images this time keeps its row', async () => {
  await write(failed('a'), captioned('b'));
  await write(captioned('c'));
  expect(await keys()).toEqual(['a', 'b', 'c']);
});

test('of an image that failed when it was another, that is what is said', async () => {
  await write(captioned('a'));
  const file = await RowsFile.open(path, request, stores);
  await file.write([{ ...failed('a'), etag: 'f' }]); // and nothing closes it
  await forgetLock();
  const next = await RowsFile.open(path, request, stores);
  expect([next.has(image('a')), next.before]).toEqual([false, 0]);
  await next.close();
  await file.close().catch(() => {}); // its file is gone
});

test('a file that another takes the place of, or that is removed, is noticed', async () => {
  await write(captioned('a'));
  const first = await RowsFile.open(path, request, stores);
  await forgetLock();
  const second = await RowsFile.open(path, request, stores);
  await first.write([{ ...captioned('a'), etag: 'f' }]);
  await first.close(); // which takes the old row out
  await expect(second.write([captioned('b')])).rejects.toThrow(/was removed or replaced while/);
  await expect(second.close()).rejects.toThrow(/was removed or replaced while/);
  const third = await RowsFile.open(path, request, stores);
  await third.write([captioned('b')]);
  await rm(path);
  await expect(third.close()).rejects.toThrow(/the same command captions again/);
});

test('of a list that names an image again and again, every row stays', async () => {
  const repeat: PartRow = { key: 'a', etag: null, status: 'skipped', reason: 'duplicate' };
  await write(captioned('a'), repeat, repeat);
  await write(captioned('b'));
  expect(await keys()).toEqual(['a', 'a', 'a', 'b']);
});

test('what was archived is tried again: it may have been restored', async () => {
  const archived: PartRow = { key: 'a', etag: 'e', status: 'skipped', reason: 'archived' };
  await write(archived, skipped);
  const file = await RowsFile.open(path, request, stores);
  expect([file.has(image('a')), file.before]).toEqual([false, 1]);
  await file.write([captioned('a')]);
  await file.close();
  expect(await keys()).toEqual(['d', 'a']);
});

test('a line that was never ended is cut off, however long it is', async () => {
  await write(captioned('a'));
  const whole = await readFile(path, 'utf8');
  await writeFile(path, `${whole}{"key":"${'b'.repeat(200_000)}`);
  await write(captioned('c'));
  expect(await keys()).toEqual(['a', 'c']);
  await writeFile(path, '{"key":"a');
  await write(captioned('d'));
  expect(await keys()).toEqual(['d']); // it was begun here: its papers say so
});

test('captions of another model are not mixed with', async () => {
  await write(captioned('a'));
  const before = await readFile(path);
  await expect(
    RowsFile.open(path, { ...request, model: 'n@0123456789ab' }, stores),
  ).rejects.toThrow(
    /has captions of m@0123456789ab, and this is n@0123456789ab: choose another file/,
  );
  expect(await readFile(path)).toEqual(before);
});

test('a file of something else stays as it is', async () => {
  await writeFile(path, 'My own notes');
  await expect(RowsFile.open(path, request, stores)).rejects.toThrow(/was not made by Cutline/);
  expect(await readFile(path, 'utf8')).toBe('My own notes');
});

test('a full disk is noticed at the first write that fails', async () => {
  const file = await RowsFile.open('/dev/full', request, stores);
  await expect(file.write([captioned('a')])).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/^\/dev\/full could not be written \(ENOSPC\)/),
  });
  await file.close();
});

test.each<[string, Partial<Run>, RegExp]>([
  [
    'other settings',
    { options: { ...request.options, lengthMax: 7 } },
    /has captions with --length-max \d+, and this command has --length-max 7: choose another file, or ask for/,
  ],
  ['features of another type', { featureType: 'int8' }, /with --feature-type float16/],
  [
    'images of another place',
    { source: { store: 's3://other', prefix: '' } },
    /has captions of the images in s3:\/\/archive, and these are in s3:\/\/other/,
  ],
])('what was asked for with %s is not gone on with', async (_, other, message) => {
  await write(captioned('a'));
  const before = await readFile(path);
  await expect(RowsFile.open(path, { ...request, ...other }, stores)).rejects.toThrow(message);
  expect(await readFile(path)).toEqual(before);
});

test('a file that came without its papers is held to its rows alone', async () => {
  await write(captioned('a'));
  await rm(`${path}.cutline`, { recursive: true });
  await write(captioned('b'));
  expect(await keys()).toEqual(['a', 'b']);
});

test('papers without rows give way, unless somebody has reviewed them', async () => {
  await write(captioned('a'));
  await rm(path);
  const other = { ...request, model: 'n@0123456789ab' };
  const file = await RowsFile.open(path, other, stores);
  await file.close();
  await writeFile(path, '');
  await file.papers?.store.put(`${file.papers.prefix}reviews/a.jsonl`, Buffer.from('{}\n'));
  await expect(RowsFile.open(path, request, stores)).rejects.toThrow(
    /rows\.jsonl\.cutline has captions of n@0123456789ab.*move it away/,
  );
});

test.each([
  ['without an end, though it is JSON', '{"key":"mine"}'],
  ['that are no rows', '{"key":"mine"}\n{"key":"torn'],
  ['which are no JSON', '{"key":"mine, and not JSON'],
])('lines of somebody else %s stay as they are', async (_, text) => {
  await writeFile(path, text);
  await expect(RowsFile.open(path, request, stores)).rejects.toThrow(/expected a row of results/);
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('a last row that only lacks its end counts', async () => {
  await write(captioned('a'), captioned('b'));
  await writeFile(path, (await readFile(path, 'utf8')).trimEnd());
  await write(captioned('c'));
  expect(await keys()).toEqual(['a', 'b', 'c']);
});

test('beside the file there is one folder, and a pipe has none', async () => {
  await write(captioned('a'));
  expect(await readdir(folder)).toEqual(['rows.jsonl', 'rows.jsonl.cutline']);
  const full = await RowsFile.open('/dev/full', request, stores);
  expect(full.papers).toBeUndefined();
  await full.close();
});
