import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { planSchema } from '@cutline/pipeline';
import { listImages } from '@cutline/shared/listing';
import { openStore } from '@cutline/shared/stores';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type S3Server, startS3 } from '../../../test/support/s3-server.ts';
import { sampleImages } from '../../../test/support/sample-images.ts';
import { writeTinyBundle } from '../../../test/support/tiny-bundle.ts';

/** `cutline plan`, as people call it: of a bucket, of a folder, of nothing. */

const program = fileURLToPath(new URL('../bin/cutline.js', import.meta.url));

let folder: string;
let model: string;
let s3: S3Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-plan-'));
  model = await writeTinyBundle(join(folder, 'model'));
  s3 = await startS3();
  const archive = await openStore(s3.createBucket('archive'), s3.config);
  s3.createBucket('captions');
  for (const [name, bytes] of await sampleImages(5)) await archive.put(name, bytes);
  await archive.put('broken.jpg', Buffer.from('no photograph at all'));
  await archive.put('notes.txt', Buffer.from('words'));
  archive.close();
});
afterAll(async () => {
  await s3?.stop();
  await rm(folder, { recursive: true, force: true });
});

function plan(...args: string[]) {
  const env = { ...process.env, ...s3.env, CUTLINE_MODEL: model, CUTLINE_BACKEND: 'onnx' };
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const all = [program, 'plan', ...args];
    execFile(process.execPath, all, { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

test('of a bucket: what is there, what fails of it, how long it takes, what it costs', async () => {
  const { code, stdout, stderr } = await plan(
    's3://archive',
    '--output',
    's3://captions',
    '--run',
    'first',
  );
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/runs\/first\/plan\.json\n$/),
  });
  expect(stdout).toMatch(/^Plan for s3:\/\/archive\/\n\n {2}model {6}tiny-show-attend-tell@/);
  expect(stdout).toMatch(/^ {2}images {5}6 of 7 keys, /m);
  expect(stdout).toMatch(/^ {2}skipped {4}1 not a photograph$/m);
  expect(stdout).toMatch(/^ {2}failed {5}16\.7% \([\d.]+% to [\d.]+%\)\n +unsupported 1: /m);
  expect(stdout).toMatch(/^ {2}time {7}\d+ s .*one machine like this, which does both$/m);
  expect(stdout).toMatch(/^ {2}requests {3}\d+ to S3\n +source: 2 LIST · 6 GET\n/m);
  expect(stdout).toMatch(/^ {2}cost {7}under \$0\.01\n/m);

  const output = await openStore('s3://captions', s3.config);
  const { bytes } = await output.get('runs/first/plan.json');
  expect(planSchema.parse(JSON.parse(bytes.toString())).trial).toMatchObject({
    images: 6,
    captioned: 5,
  });
  const selection = { keysFrom: null, include: [], exclude: [], limit: null, sample: null };
  const listed = listImages({ store: output, prefix: '' }, selection, { exceptPrefix: 'runs/' });
  expect((await listed.next()).done).toBe(true);
  output.close();
});

test('of a folder without a try, at prices of its own', async () => {
  await writeFile(join(folder, 'prices.json'), '{"putPer1000": "much"}');
  const refused = await plan('.', '--try', '0', '--prices', 'prices.json');
  expect(refused).toMatchObject({
    code: 2,
    stdout: '',
    stderr: /^cutline: prices\.json: putPer1000: .*\n$/,
  });
});

test('where none of those that were tried has a caption, no rate is made up', async () => {
  const { code, stdout } = await plan('s3://archive', '--include', 'broken.jpg');
  expect(code).toBe(0);
  expect(stdout).toContain('there is no telling: none of them got a caption');
  expect(stdout).not.toContain('decoding alone');
});

test('of nothing: that there is nothing', async () => {
  const { code, stdout } = await plan('s3://captions', '--include', '*.jpg', '--json');
  expect(code).toBe(0);
  const { survey, trial, estimate } = planSchema.parse(JSON.parse(stdout));
  expect(survey.images).toBe(0);
  expect(trial).toBeUndefined();
  expect(estimate).toMatchObject({ parts: 0, redisBytesMax: 0 });
});
