import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageRef, PartRow } from '@cutline/shared/run';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RowsFile } from '../dist/rows-file.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-rows-'));
  path = join(folder, 'rows.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const model = 'm@0123456789ab';
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
  const file = await RowsFile.open(path, model);
  await file.write(rows);
  await file.close();
}

const keys = async () =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).key);

test('what is done stays, what failed is tried again, once', async () => {
  await write(captioned('a'), failed('b'), captioned('c'), skipped);
  const file = await RowsFile.open(path, model);
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
  const file = await RowsFile.open(path, model);
  expect(file.has(image('a', 'another'))).toBe(false);
  expect(file.has(image('a', null))).toBe(true);
  await file.close();
});

test('a line that was never ended is cut off, however long it is', async () => {
  await write(captioned('a'));
  const whole = await readFile(path, 'utf8');
  await writeFile(path, `${whole}{"key":"${'b'.repeat(200_000)}`);
  await write(captioned('c'));
  expect(await keys()).toEqual(['a', 'c']);
  await writeFile(path, '{"key":"a');
  await write(captioned('d'));
  expect(await keys()).toEqual(['d']);
});

test('captions of another model are not mixed with', async () => {
  await write(captioned('a'));
  const before = await readFile(path);
  await expect(RowsFile.open(path, 'n@0123456789ab')).rejects.toThrow(
    /has captions of m@0123456789ab, and this is n@0123456789ab: choose another file/,
  );
  expect(await readFile(path)).toEqual(before);
});

test('a file of something else stays as it is', async () => {
  await writeFile(path, 'My own notes');
  await expect(RowsFile.open(path, model)).rejects.toThrow(/was not made by Cutline/);
  expect(await readFile(path, 'utf8')).toBe('My own notes');
});

test('a full disk is noticed at the first write that fails', async () => {
  const file = await RowsFile.open('/dev/full', model);
  await expect(file.write([captioned('a')])).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/^\/dev\/full could not be written \(ENOSPC\)/),
  });
  await file.close();
});
