import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { openStore } from '@cutline/shared/stores';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captionedRow, failedRow } from '../packages/shared/test/support/example-run.ts';
import { askPage } from './support/ask-page.ts';
import { createRun } from './support/finished-run.ts';
import { startProcess } from './support/processes.ts';

/** A review as it is from outside: the command, its page's requests, and the commands after it. */

let folder: string;
const rows = [captionedRow('a.jpg'), captionedRow('b.jpg'), failedRow('c.jpg')];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-review-'));
  const store = await openStore(pathToFileURL(folder).href);
  await createRun(store, rows, {
    source: { store: pathToFileURL(folder).href, prefix: '' },
    sidecars: ['txt'],
  });
});
afterAll(() => rm(folder, { recursive: true }));

const bin = fileURLToPath(new URL('../apps/cutline/bin/cutline.js', import.meta.url));

const start = (...args: string[]) =>
  startProcess({
    command: process.execPath,
    args: [bin, ...args],
    env: { CUTLINE_OUTPUT: folder },
  });

/** A command that is expected to succeed. @returns its lines */
async function cutline(...args: string[]): Promise<string[]> {
  const { exited, stdout, stderr } = await start(...args);
  expect((await exited).code, stderr.join('\n')).toBe(0);
  return [...stdout];
}

describe('cutline review', { timeout: 60_000 }, () => {
  test('is opened, judged in, ended, and heard of everywhere', async () => {
    const review = await start('review', 'r1', '--as', 'Zoë', '--only', '2', '--sample');
    const [address] = await review.waitForLine(/http:\/\/127\S+/, 20_000);
    const post = (path: string, body: object) => askPage(address, path, body);
    const decide = (n: number, decision: string, caption?: string) =>
      post('/api/decide', { id: crypto.randomUUID(), n, decision, caption, seen: null });
    await decide(0, 'accepted');
    await decide(1, 'corrected', 'two boats');
    await decide(2, 'corrected', 'a pier');
    review.kill('SIGINT');
    expect((await review.exited).code).toBe(0);
    expect(review.stdout).toContain('Run r1: 1 accepted, 2 corrected, 0 rejected');

    const [first] = await cutline('results', 'r1', '--json');
    expect(JSON.parse(first ?? '')).toMatchObject({
      ...{ key: 'a.jpg', status: 'reviewed', decision: 'accepted', who: 'Zoë' },
      ...{ caption: rows[0]?.status === 'captioned' && rows[0].caption, row: rows[0] },
    });
    const status = await cutline('status', 'r1');
    expect(status).toContain('  reviewed   3  (accepted 1, corrected 2, rejected 0)');
    expect(status).toContain('  estimate   of 2 drawn, 50% accepted, 95% interval 9 to 91');
    expect(await cutline('verify', 'r1')).toEqual([
      'Run r1 is whole: 3 images, 1 part, 1 chunk, 3 decisions of reviewers; every image has one row.',
    ]);
    expect(await cutline('sidecars', 'r1')).toEqual([
      'Run r1: the sidecars of 3 reviewed images say what was decided',
    ]);
    const store = await openStore(pathToFileURL(folder).href);
    expect((await store.get('b.jpg.txt')).bytes.toString()).toBe('two boats\n');
    expect((await store.get('c.jpg.txt')).bytes.toString()).toBe('a pier\n');
    expect(await cutline('withdraw', 'r1')).toEqual(['Run r1: 3 files removed']);
  });

  test.each([
    [['--sample'], 'takes --only'],
    [['--as', '../x'], "a reviewer's name has"],
    [['--images', join(tmpdir(), 'no-such-folder')], 'no-such-folder'],
  ])('%j is told of in a line', async (flags, expected) => {
    const review = await start('review', 'r1', ...flags);
    expect((await review.exited).code).toBe(2);
    expect(review.stderr).toEqual([expect.stringContaining(expected)]);
  });
});
