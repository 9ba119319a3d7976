import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PartRow } from '@cutline/shared/run';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askPage } from '../../../test/support/ask-page.ts';
import { startProcess } from '../../../test/support/processes.ts';
import { runInProcess } from '../../../test/support/run-in-process.ts';
import { sampleImages } from '../../../test/support/sample-images.ts';
import { writeTinyBundle } from '../../../test/support/tiny-bundle.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { FileLock } from '../dist/caption/file-lock.js';

/** `cutline caption` of a person's folder, and what they do with the captions; no Redis, no runs. */

let folder: string;
let photos: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-folder-'));
  photos = join(folder, 'photos');
  model = await writeTinyBundle(join(folder, 'model'));
  await mkdir(join(photos, 'trip'), { recursive: true });
  const images = [...(await sampleImages(3)).values()];
  for (const [n, name] of ['a.jpg', 'b.jpg', 'trip/c.jpg'].entries()) {
    await writeFile(join(photos, name), images[n] ?? '');
  }
  const others = { 'letter.PDF': '%PDF-1.4', 'clip.mp4': '', README: 'words', 'Thumbs.db': 'x' };
  for (const [name, text] of Object.entries(others)) await writeFile(join(photos, name), text);
  await writeFile(join(photos, 'b.jpg.txt'), 'what I say of b');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const program = fileURLToPath(new URL('../bin/cutline.js', import.meta.url));

/** In this process; those that are interrupted are started as processes. */
function cutline(...args: string[]) {
  return runInProcess(args, { CUTLINE_MODEL: model, CUTLINE_BACKEND: 'onnx' }, photos);
}

const rowsOf = async (name: string): Promise<PartRow[]> =>
  (await readFile(join(photos, name), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const toAll = [
  ...['caption', '.', '-o', 'captions.csv', '--gallery', 'page.html'],
  ...['--sidecars', 'txt,xmp', '--link', '{key}'],
];

describe('a folder', { timeout: 60_000 }, () => {
  test('is a table on the way, with what is no photograph named as such', async () => {
    const { code, stdout, stderr } = await cutline('caption', '.');
    expect(code).toBe(0);
    expect(stdout.match(/\(skipped: not a photograph\)$/gm)).toHaveLength(5);
    expect(stderr).toMatch(
      /^3 captioned in .*, 5 skipped: not a photograph \(1 file beside photographs\)\n$/,
    );
  });

  test('or CSV', async () => {
    const { code, stdout } = await cutline('caption', '.', '--format', 'csv', '--include', '*.jpg');
    expect(code).toBe(0);
    expect(stdout.split('\r\n')[0]).toMatch(/^"key","etag","status","caption",/);
    expect(stdout.split('\r\n')[1]).toMatch(/^a\.jpg,[^,]*,captioned,/);
  });

  test('into all that a run can be had as, beside the photographs', async () => {
    const { code, stdout, stderr } = await cutline(...toAll);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('sidecars: 5 written, 1 of yours kept\ncaptions.csv: 8 rows\n');
    expect(stderr).toContain('page.html: 3 images\n');
    const keys = (await rowsOf('captions.jsonl')).map(({ key }) => key);
    expect(keys).toEqual([
      ...['README', 'Thumbs.db', 'a.jpg', 'b.jpg', 'b.jpg.txt', 'clip.mp4', 'letter.PDF'],
      'trip/c.jpg',
    ]);
    expect(await readFile(join(photos, 'b.jpg.txt'), 'utf8')).toBe('what I say of b');
    expect(await readdir(join(photos, 'trip'))).toEqual(['c.jpg', 'c.jpg.txt', 'c.jpg.xmp']);
    expect(await readFile(join(photos, 'page.html'), 'utf8')).toContain('<a href="trip/c.jpg"');
  });

  test('again, when nothing is new: no row is added, and nothing of its own is listed', async () => {
    const before = await rowsOf('captions.jsonl');
    const { code, stderr } = await cutline(...toAll);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^Nothing to do: 8 rows there already\.\n/);
    expect(await rowsOf('captions.jsonl')).toEqual(before);
  });

  test('not while another process writes the same file', async () => {
    const lock = await FileLock.take(join(photos, 'captions.jsonl'));
    const { code, stderr } = await cutline(...toAll);
    await lock.release();
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^cutline: captions\.jsonl is being written by another "cutline caption" \(pro/,
    );
  });

  test('again, when there is another photograph, which alone is captioned', async () => {
    await writeFile(join(photos, 'd.jpg'), (await sampleImages(4)).get('photo-0003.jpg') ?? '');
    const { stderr } = await cutline(...toAll);
    expect(stderr).toMatch(/^1 captioned in .*, 8 rows there already\n/);
    expect(stderr).toContain('captions.csv: 9 rows\n');
    expect(await readdir(photos)).toContain('d.jpg.xmp');
  });

  test('with other settings it goes into another file', async () => {
    const { code, stderr } = await cutline(...toAll, '--length-max', '3');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /captions\.jsonl has captions with --length-max \d+, and this command has --length-max 3/,
    );
  });

  test('what people decide on its page wins, in tables, pages and files beside images', async () => {
    const review = await startProcess({
      command: process.execPath,
      args: [program, 'review', 'captions.csv', '--as', 'anna'],
      cwd: photos,
    });
    const [address] = await review.waitForLine(/http:\/\/127\S+/, 20_000);
    const { origin, hash } = new URL(address);
    const decide = { id: crypto.randomUUID(), n: 3, decision: 'corrected', caption: '=our d' };
    await askPage(address, '/api/decide', { ...decide, seen: null });
    const picture = await fetch(new URL('/api/image/3?side=800', origin), {
      headers: { authorization: `Bearer ${hash.slice(1)}` },
    });
    expect(picture.headers.get('content-type')).toBe('image/webp');
    review.kill('SIGINT');
    await review.exited;
    expect(review.stdout).toContain('captions.jsonl: 0 accepted, 1 corrected, 0 rejected');
    const exported = await cutline('export', 'captions.csv', '--to', 'csv', '--reviewed');
    expect(exported.stdout).toMatch(/^d\.jpg,[^,]*,reviewed,'=our d,/m);
    await cutline('sidecars', 'captions.csv', '--sidecars', 'txt');
    expect(await readFile(join(photos, 'd.jpg.txt'), 'utf8')).toBe('=our d\n');
    await cutline(...toAll); // which leaves it
    expect(await readFile(join(photos, 'd.jpg.txt'), 'utf8')).toBe('=our d\n');
    expect(await readFile(join(photos, 'captions.csv'), 'utf8')).toContain("'=our d");
    expect(await readFile(join(photos, 'page.html'), 'utf8')).toContain('=our d');
  });

  test('of a photograph that is gone the row stays, unless it is asked to go', async () => {
    const [there, aside] = [join(photos, 'a.jpg'), join(folder, 'a.jpg')];
    await rename(there, aside);
    const kept = await cutline(...toAll);
    expect(kept.stderr).toContain(
      '\n1 row of images that are not there any more: --prune takes them out\n',
    );
    expect(await rowsOf('captions.jsonl')).toHaveLength(9);
    const partly = await cutline(...toAll, '--prune', '--limit', '2');
    expect(partly.code).toBe(2);
    const gone = await cutline(...toAll, '--prune');
    expect(gone.stderr).toContain('\ntaken out: 1 row of images that are not there any more\n');
    expect((await rowsOf('captions.jsonl')).map(({ key }) => key)).not.toContain('a.jpg');
    await rename(aside, there);
    await cutline(...toAll); // and is captioned again
    expect(await rowsOf('captions.jsonl')).toHaveLength(9);
  });

  test('what was written beside photographs is taken away again, and nothing else', async () => {
    const { code, stdout } = await cutline('withdraw', 'captions.csv');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'captions.jsonl: 7 files removed\n' });
    expect((await readdir(photos)).filter((name) => /jpg\./.test(name))).toEqual(['b.jpg.txt']);
  });

  test('Ctrl-C keeps what is captioned and makes a table of it; then it goes on', async () => {
    const many = join(folder, 'many');
    await mkdir(many);
    const images = await sampleImages(1500);
    for (const [key, bytes] of images) await writeFile(join(many, key), bytes);
    const command = ['caption', '../many', '-o', '../many.csv'];
    const running = await startProcess({
      ...{ command: process.execPath, args: [program, ...command], cwd: photos },
      env: { CUTLINE_MODEL: model },
    });
    const rowsFile = join(folder, 'many.jsonl');
    await waitFor(async () => (await stat(rowsFile)).size > 0, {
      ...{ deadlineMs: 30_000, what: 'the first rows' },
    });
    running.kill('SIGINT');
    expect(await running.exited).toMatchObject({ code: 130 });
    expect(running.stderr[0]).toMatch(/^stopped: \d+ captioned in .*\. The same command goes on/);
    const before = (await rowsOf('../many.jsonl')).length;
    expect(before).toBeLessThan(images.size);
    const lines = (await readFile(join(folder, 'many.csv'), 'utf8')).trimEnd().split('\r\n');
    expect(lines).toHaveLength(1 + before);
    const { code, stderr } = await cutline(...command);
    expect(code).toBe(0);
    expect(stderr).toContain(`, ${before.toLocaleString('en-US')} rows there already\n`);
    const keys = (await rowsOf('../many.jsonl')).map(({ key }) => key);
    expect(keys.toSorted()).toEqual([...images.keys()]);
  });

  test('a full disk is noticed at the first write, and a file of something else before any', async () => {
    const full = await cutline('caption', '.', '-o', '/dev/full');
    expect(full.code).toBe(2);
    expect(full.stderr).toMatch(/\/dev\/full could not be written \(ENOSPC\)/);
    await writeFile(join(photos, 'mine.csv'), 'key,what I say\n');
    const mine = await cutline('caption', '.', '-o', 'mine.csv');
    expect(mine.code).toBe(2);
    expect(mine.stderr).toMatch(/mine\.csv is there already, and was not made by Cutline/);
    expect(await readdir(photos)).not.toContain('mine.jsonl');
  });
});
