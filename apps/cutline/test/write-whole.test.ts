import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitFor } from '../../../test/support/wait-for.ts';
import { writeWhole } from '../dist/files/write-whole.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-whole-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* chunks(...all: string[]) {
  yield* all;
}

async function* broken() {
  yield 'new, and ';
  throw new Error('the store is gone');
}

test('a file appears when it is complete, or stays as it was', async () => {
  const path = join(folder, 'page');
  await expect(writeWhole(path, broken())).rejects.toThrow('the store is gone');
  expect(await readdir(folder)).toEqual([]);
  await writeWhole(path, chunks('old'));
  await expect(writeWhole(path, broken())).rejects.toThrow('the store is gone');
  expect(await readFile(path, 'utf8')).toBe('old');
  await writeWhole(path, chunks('new', 'er'));
  expect(await readFile(path, 'utf8')).toBe('newer');
  expect(await readdir(folder)).toEqual(['page']);
});

test('nothing is left of a file where its writer is interrupted', async () => {
  const module = new URL('../dist/files/write-whole.js', import.meta.url);
  const program = `
    import { writeWhole } from ${JSON.stringify(module.href)};
    await writeWhole('page', (async function* () {
      for (;;) yield await new Promise((done) => setTimeout(done, 1, 'more'));
    })());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: folder });
  const ended = once(child, 'exit');
  await waitFor(async () => (await readdir(folder)).length > 0, {
    deadlineMs: 30_000,
    what: 'a file that begins',
  });
  child.kill('SIGINT');
  expect(await ended).toEqual([null, 'SIGINT']);
  expect(await readdir(folder)).toEqual([]);
});

test('a link stays one, and a file keeps its permissions', async () => {
  const [path, link] = [join(folder, 'page'), join(folder, 'link')];
  await writeFile(path, 'old');
  await chmod(path, 0o600);
  await symlink(path, link);
  await writeWhole(link, chunks('new'));
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await readdir(folder)).toSorted()).toEqual(['link', 'page']);
});

test('a device is written to, and stays one', async () => {
  await writeWhole('/dev/null', chunks('nothing'));
  expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
});

test('a full disk is said in a line', async () => {
  await expect(writeWhole('/dev/full', chunks('some'))).rejects.toThrow(
    '/dev/full could not be written (ENOSPC).',
  );
});
