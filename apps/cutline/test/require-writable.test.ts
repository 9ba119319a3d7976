import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requireWritable } from '../dist/files/require-writable.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-writable-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const check = (name: string) =>
  requireWritable(join(folder, name), (head) => head.startsWith('ours'));

test('a file that is not there, is empty, or is ours, may be written', async () => {
  await writeFile(join(folder, 'empty'), '');
  await writeFile(join(folder, 'ours'), `ours${' '.repeat(100_000)}`);
  for (const name of ['none', 'empty', 'ours']) await check(name);
});

test('what is ours may be known by its end', async () => {
  await writeFile(join(folder, 'long'), `${' '.repeat(100_000)}ours`);
  const path = join(folder, 'long');
  await requireWritable(path, (_, tail) => tail.endsWith('ours'));
  await expect(requireWritable(path, (head) => head.includes('ours'))).rejects.toThrow(/not made/);
});

test('a device may be written', async () => {
  await requireWritable('/dev/null', () => false);
});

test('a file of somebody else stays, and one line says so', async () => {
  await writeFile(join(folder, 'notes'), 'not ours');
  await expect(check('notes')).rejects.toThrow(
    /notes is there already, and was not made by Cutline/,
  );
});

test('a folder, and a file in none, are refused', async () => {
  await expect(check('.')).rejects.toThrow(/is a folder: name a file in it/);
  await expect(check('none/file')).rejects.toThrow(/There is no folder .*none to write into/);
});
