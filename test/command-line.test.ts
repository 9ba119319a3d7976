import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PartRow } from '@cutline/shared/run';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessDenied } from './support/fault-proxy.ts';
import { type Pipeline, startPipeline } from './support/pipeline.ts';
import { startProcess, stopProcess } from './support/processes.ts';
import { createWorkplace, type Workplace } from './support/refusals.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImage, sampleImages } from './support/sample-images.ts';

/**
 * The command line as people and scripts see it: what it prints, where, and how it ends. Each kind
 * of end is that of a process (`pipeline.cutline`); what else is said is read where it is cheaper.
 */

let pipeline: Pipeline;
let workplace: Workplace;
const cutline = fileURLToPath(new URL('../apps/cutline/bin/cutline.js', import.meta.url));
const output = ['--output', 's3://captions'];

beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.upload(await sampleImages(40), 'photos/');
  await pipeline.upload([
    ['mixed/good.jpg', await sampleImage(1)],
    ['mixed/empty.jpg', Buffer.alloc(0)],
    ['mixed/notes.txt', Buffer.from('text')],
  ]);
  workplace = await createWorkplace(pipeline);
}, 120_000);

afterAll(async () => {
  await pipeline?.stop();
  await workplace?.remove();
});

const minutes = { timeout: 180_000 };

describe('without workers', minutes, () => {
  test('a run that is interrupted says how to go on, and its jobs stay', async () => {
    const run = await pipeline.startCutline(['run', 's3://archive/photos/', '--run', 'stopped']);
    await run.waitForLine(/^Run stopped → s3:\/\/captions\/runs\/stopped\/$/, 60_000);
    await run.waitForLine(/no encoder-worker is connected/, 60_000); // its jobs are there
    run.kill('SIGINT');
    expect(await run.exited).toEqual({ code: 130, signal: null });
    expect(run.stdout).toEqual([]);
    expect(run.stderr.at(-1)).toBe(
      'cutline: stopped. Workers finish what is enqueued. Go on with: cutline resume stopped ' +
        '--output s3://captions',
    );
  });

  test('a run whose manifest may not be written says so, and ends', async () => {
    const key = /runs\/denied\/manifest/;
    const mend = pipeline.proxy.add({ operation: 'put', key, does: accessDenied });
    const { code, stderr } = await pipeline.cutline(
      'run',
      's3://archive/photos/',
      '--run',
      'denied',
    );
    mend();
    expect(code).toBe(2);
    expect(stderr.trimEnd().split('\n')).toEqual([
      'Run denied → s3://captions/runs/denied/',
      'cutline: Access to the bucket "captions" is denied: grant these credentials s3:PutObject ' +
        'on it. Go on with: cutline resume denied --output s3://captions',
    ]);
  });

  test('the status of that run says what is missing', async () => {
    const { code, stdout, stderr } = await pipeline.cutline('status', 'stopped');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'Run stopped: 0 of 40 images · no encoder-worker is connected: start one · nothing drives ' +
        'the run: cutline resume stopped',
      '  encoded    0',
      '  captioned  0',
      '  encode     1 batch waiting, 0 in hand; 0 workers connected',
      '  decode     0 batches waiting, 0 in hand; 0 workers connected',
    ]);
  });

  test('the same for machines', async () => {
    const { code, stdout } = await pipeline.call('status', 'stopped', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: 'stopped',
      results: 's3://captions/runs/stopped/',
      progress: { listed: 40, listingComplete: 1, captioned: 0 },
      queues: { encode: { waiting: 1, active: 0, delayed: 0, workers: 0 } },
      hasProducer: false,
    });
  });

  test('watching it ends with Ctrl-C', async () => {
    const watch = await pipeline.startCutline(['status', 'stopped', '--watch']);
    await watch.waitForLine(/^0 of 40 images · no encoder-worker/, 60_000);
    watch.kill('SIGINT');
    expect(await watch.exited).toEqual({ code: 130, signal: null });
  });

  test('a run that has no results yet says so', async () => {
    const { code, stdout, stderr } = await pipeline.call('results', 'stopped');
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: 'Run stopped has no results yet.',
    });
  });

  test('a dry run says what it would do', async () => {
    const { code, stdout, stderr } = await pipeline.call('run', 's3://archive/mixed/', '--dry-run');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ {2}images {5}2 of 3 keys, [\d.]+ (KB|bytes)$/m);
    expect(stdout).toMatch(/^ {2}skipped {4}1 not a photograph$/m);
    expect(stdout).toMatch(/^Nothing was written\.\n {2}mixed\/empty\.jpg\n {2}mixed\/good\.jpg$/m);
  });
});

describe('with workers', minutes, () => {
  beforeAll(async () => {
    await Promise.all([
      pipeline.startWorker('encoder-worker'),
      pipeline.startWorker('decoder-worker'),
    ]);
  }, 120_000);

  test('what was interrupted is resumed', async () => {
    const { code, stdout } = await pipeline.cutline('resume', 'stopped');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}captioned {2}40$/m);
    expectToReconcile(await pipeline.results('stopped'));
  });

  test('a short run prints where it is and how it ended, and nothing else', async () => {
    const { code, stdout, stderr } = await pipeline.cutline(
      'run',
      's3://archive/mixed/',
      '--run',
      'mixed',
      '--length-min',
      '2',
    );
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'Run mixed → s3://captions/runs/mixed/',
    });
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^Run mixed: 3 images in \d+ s( \([\d.]+ images\/s\))?$/),
      '  captioned  1',
      '  skipped    1  (1 not a photograph)',
      '  failed     1  (empty 1)',
      '  results    s3://captions/runs/mixed/',
    ]);
  });

  test('its status is its summary, and needs no Redis', async () => {
    const { stdout: summary } = await pipeline.cutline('status', 'mixed');
    expect(summary).toMatch(/^Run mixed: 3 images in /);
    const status = await pipeline.startCutline(['status', 'mixed'], {
      REDIS_URL: 'redis://127.0.0.1:1',
    });
    expect(await status.exited).toMatchObject({ code: 0 });
    expect(status.stdout.join('\n')).toBe(summary);
  });

  test('its results are a table, or rows', async () => {
    const table = await pipeline.call('results', 'mixed');
    expect(table.stdout.split('\n')).toEqual([
      expect.stringMatching(/^ {2}image {12}caption +score$/),
      '  mixed/empty.jpg  (failed, empty: the object has 0 bytes)',
      expect.stringMatching(/^ {2}mixed\/good\.jpg {3}\w+ \w+.* {2}-\d+\.\d\d$/),
      '  mixed/notes.txt  (skipped: not a photograph)',
    ]);
    const rows = await pipeline.call('results', 'mixed', '--json');
    expect(rows.stdout.split('\n').map((line): PartRow => JSON.parse(line))).toEqual(
      (await pipeline.results('mixed')).rows,
    );
  });

  test('the first of them are told to be the first', async () => {
    const first = await pipeline.call('results', 'stopped', '--limit', '2');
    expect(first.stdout.split('\n')).toHaveLength(3);
    expect(first.stderr).toBe('  … (the first 2 images)');
    const all = await pipeline.call('results', 'mixed', '--limit', '3');
    expect(all.stderr).toBe('');
  });

  test('only what failed in that way is tried again', async () => {
    const none = await pipeline.call('retry', 'mixed', '--class', 'corrupt,timeout');
    expect(none).toEqual({
      code: 0,
      stdout: 'Run mixed has no failures of class corrupt or timeout: nothing to retry.',
      stderr: '',
    });
    await pipeline.upload([['mixed/empty.jpg', await sampleImage(2)]]);
    const again = await pipeline.call('retry', 'mixed', '--class', 'empty', 'corrupt');
    expect(again.stderr).toMatch(/^Trying 1 image again\.\nRun mixed → /);
    // It was empty when it was listed; what is there now is another object.
    expect(again.stdout).toMatch(/^ {2}failed +1 +\(changed 1\)$/m);
    expectToReconcile(await pipeline.results('mixed'));
  });

  test('a reader that has enough ends it well', async () => {
    const bash = await startProcess({
      command: 'bash',
      args: [
        '-c',
        `set -o pipefail; '${process.execPath}' '${cutline}' results stopped --json ${output.join(' ')} | head -n 1`,
      ],
      env: workplace.environment,
    });
    expect(await bash.exited).toEqual({ code: 0, signal: null });
    expect(bash.stdout).toHaveLength(1);
    expect(bash.stderr).toEqual([]);
  });
});

describe('in one process', minutes, () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-command-line-'));
    await mkdir(join(folder, 'none'));
    for (const [name, bytes] of await sampleImages(3)) await writeFile(join(folder, name), bytes);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('a folder is captioned into a table, and how it went is told beside it', async () => {
    const { code, stdout, stderr } = await pipeline.cutline('caption', folder);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(4);
    expect(stderr).toMatch(/^3 captioned in \d+ s( \([\d.]+ images\/s\))?$/);
  });

  test('a single image is captioned, from a folder and from a bucket', async () => {
    const local = await pipeline.call('caption', join(folder, 'photo-0001.jpg'), '--json');
    expect(JSON.parse(local.stdout)).toMatchObject({ key: 'photo-0001.jpg', status: 'captioned' });
    const remote = await pipeline.call('caption', 's3://archive/photos/photo-0001.jpg', '--json');
    const { caption, score } = JSON.parse(local.stdout);
    expect(JSON.parse(remote.stdout)).toMatchObject({
      key: 'photos/photo-0001.jpg',
      caption,
      score,
    });
  });

  test('rows go into a file, and the same command goes on with it', async () => {
    const file = join(folder, 'rows.jsonl');
    const { code, stdout } = await pipeline.call('caption', folder, '--limit', '2', '-o', file);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(2);
    const again = await pipeline.call('caption', folder, '--limit', '3', '-o', file);
    expect(again.stderr).toMatch(/^1 captioned in .*, 2 rows there already$/);
    expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(3);
  });

  test('what is made of a file, and the picture as the model sees it', async () => {
    const seen = join(folder, 'seen.png');
    const looked = await pipeline.call('look', 's3://archive/photos/photo-0001.jpg', '-o', seen);
    expect(looked).toMatchObject({ code: 0, stderr: '' });
    expect(looked.stdout).toMatch(
      /format {5}JPEG\n[\s\S]*decoder {4}libvips\n[\s\S]*outcome {4}captioned\n/,
    );
    expect((await readFile(seen)).toString('latin1', 1, 4)).toBe('PNG');
    await writeFile(join(folder, 'notes.jpg'), 'these are words');
    const all = await pipeline.call('look', folder, '--include', '*.jpg');
    expect(all.code).toBe(1);
    expect(all.stdout).toMatch(/^notes\.jpg\ttext\tunsupported: this seems to be text/m);
    expect(all.stderr).toMatch(/^\d+ files: .*unsupported 1/);
    await rm(join(folder, 'notes.jpg'));
  });

  test('a folder without images says so, and is no failure', async () => {
    const { code, stdout, stderr } = await pipeline.call('caption', join(folder, 'none'));
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: 'There are no images to caption there.',
    });
  });
});

/** With a terminal of its own, as util-linux's `script` gives one. */
async function onTerminal(columns: number, ...args: string[]) {
  const command = [`'${process.execPath}'`, `'${cutline}'`, ...args].join(' ');
  const terminal = await startProcess({
    command: 'script',
    args: ['-qec', `stty cols ${columns} rows 24; ${command}`, '/dev/null'],
    env: workplace.environment,
  });
  const { code } = await terminal.exited;
  await stopProcess(terminal);
  return { code, text: terminal.stdout.join('\n') };
}

describe.runIf(process.platform === 'linux')('on a terminal', minutes, () => {
  test('a run shows its stages as bars, and gives the cursor back', async () => {
    const { code, text } = await onTerminal(
      80,
      'run',
      's3://archive/photos/',
      '--run',
      'bars',
      ...output,
    );
    expect(code).toBe(0);
    expect(text).toContain('encoded');
    expect(text).toMatch(/captioned {2}█{20} {2}40 of 40/);
    expect(text.lastIndexOf('\x1b[?25h')).toBeGreaterThan(text.lastIndexOf('\x1b[?25l'));
    expect(text.lastIndexOf('\x1b[?7h')).toBeGreaterThan(text.lastIndexOf('\x1b[?7l')); // wraps lines
  });

  test('results fit its columns', async () => {
    const { text } = await onTerminal(50, 'results', 'bars', ...output);
    const lines = text.split('\n').map((line) => line.trimEnd());
    expect(lines.length).toBeGreaterThanOrEqual(41);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(50);
  });

  test('captions into a file show how far they are', async () => {
    const { code, text } = await onTerminal(
      80,
      'caption',
      's3://archive/photos/',
      '--json',
      '>/dev/null',
    );
    expect(code).toBe(0);
    expect(text).toContain('loading the model …');
    expect(text).toMatch(/40 captioned in \d+ s/);
  });
});
