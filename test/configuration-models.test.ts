import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closeQueues, connectRedis, openQueues, realWorld } from '@cutline/pipeline';
import { RunStore } from '@cutline/shared/run';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pipeline, startPipeline } from './support/pipeline.ts';
import { type Process, stopProcess } from './support/processes.ts';
import { type Case, createWorkplace, type Workplace } from './support/refusals.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/** Bundles that are damaged, and workers with another model than the run's: refused, nothing lost. */

let pipeline: Pipeline;
let workplace: Workplace;
const images = 6;

beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.upload(await sampleImages(images));
  workplace = await createWorkplace(pipeline);
}, 120_000);

afterAll(async () => {
  await pipeline?.stop();
  await workplace?.remove();
});

const deadline = { timeout: 120_000 };
const toRun = ['s3://archive', '--output', 's3://captions', '--run'];

/** A copy of the right bundle, damaged. */
async function damaged(name: string, damage: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(workplace.folder, name);
  await cp(join(workplace.folder, 'right'), folder, { recursive: true });
  await damage(folder);
  return folder;
}

async function flipByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length - 3]! ^= 1;
  await writeFile(file, bytes);
}

describe.concurrent('a model bundle', deadline, () => {
  beforeAll(async () => {
    await damaged('flipped', async (folder) => {
      await flipByte(join(folder, 'encoder.safetensors'));
      await flipByte(join(folder, 'decoder.safetensors'));
    });
    await damaged('halved', async (folder) => {
      await writeFile(join(folder, 'decoder.safetensors'), Buffer.alloc(100));
    });
    await damaged('without', (folder) => rm(join(folder, 'encoder.safetensors')));
    await damaged('wordless', (folder) => rm(join(folder, 'vocabulary.txt')));
    await damaged('garbled', (folder) => writeFile(join(folder, 'model.json'), '{"name": '));
    await writeFile(join(workplace.folder, 'file'), 'not a folder');
  });

  const changed = (file: string) =>
    new RegExp(
      `flipped cannot be used: ${file}: should have SHA-256 \\w+, and has \\w+\\. Copy it again`,
    );
  const caption = ['caption', '.'];
  const garbled =
    /garbled cannot be used: model\.json: not JSON.* Copy it again, or choose another\.$/;
  const noModel =
    /There is no model "nowhere": neither a folder, nor among those that were added \(.+\)\. Add it with "cutline model add"\.$/;
  const noFolder =
    /There is no folder .*: give the folder of a model bundle \(with model\.json in it\)\.$/;

  test.each<Case>([
    [
      'with a byte changed in its weights',
      'encoder-worker',
      [],
      { CUTLINE_MODEL: 'flipped' },
      changed('encoder\\.safetensors'),
    ],
    [
      'with a byte changed in its weights',
      'decoder-worker',
      [],
      { CUTLINE_MODEL: 'flipped' },
      changed('decoder\\.safetensors'),
    ],
    [
      'with a byte changed in its weights',
      'cutline',
      [...caption, '--model', 'flipped'],
      {},
      changed('encoder\\.safetensors'),
    ],
    [
      'with a byte changed in its weights',
      'cutline',
      ['model', 'verify', 'flipped'],
      {},
      changed('encoder\\.safetensors'),
    ],
    [
      'with half of a file',
      'decoder-worker',
      ['--model', 'halved'],
      {},
      /decoder\.safetensors: should have \d+ bytes, and has 100 \(incomplete copy\?\)\. Copy it again/,
    ],
    [
      'without a file',
      'encoder-worker',
      ['--model', 'without'],
      {},
      /without has no encoder\.safetensors: copy the model bundle again, or choose another\.$/,
    ],
    [
      'without a file',
      'decoder-worker',
      ['--model', 'wordless'],
      {},
      /wordless has no vocabulary\.txt: copy/,
    ],
    [
      'without a file',
      'cutline',
      ['model', 'verify', 'wordless'],
      {},
      /wordless has no vocabulary\.txt: copy/,
    ],
    [
      'whose model.json is cut off',
      'producer',
      [...toRun, 'refused', '--model', 'garbled'],
      {},
      garbled,
    ],
    [
      'whose model.json is cut off',
      'cutline',
      ['run', ...toRun, 'refused', '--model', 'garbled'],
      {},
      garbled,
    ],
    ['whose model.json is cut off', 'encoder-worker', ['--model', 'garbled'], {}, garbled],
    ['whose model.json is cut off', 'cutline', ['model', 'inspect', 'garbled'], {}, garbled],
    ['that is a file', 'encoder-worker', ['--model', './file'], {}, noFolder],
    ['that is not there', 'decoder-worker', ['--model', 'nowhere'], {}, noModel],
    ['that is not there', 'producer', [...toRun, 'refused', '--model', 'nowhere'], {}, noModel],
    ['that is not there', 'cutline', [...caption, '--model', './nowhere'], {}, noFolder],
  ])('%s: %s %j', (_, program, args, env, message) =>
    workplace.expectRefusal(program, args, env, message),
  );

  test('that does not attend is not asked where it looked', async () => {
    const plain = await workplace.writeBundle('plain', { family: 'lrcn' });
    await workplace.expectRefusal(
      'producer',
      [...toRun, 'refused', '--attention', '--model', plain],
      {},
      /--attention: model tiny-lrcn@\w+ does not attend to places in the image\.$/,
    );
  });
});

describe('workers', () => {
  const running: Process[] = [];
  afterAll(() => Promise.all(running.map((each) => stopProcess(each, 0))));

  const start = async (...started: Parameters<Workplace['start']>) => {
    const program = await workplace.start(...started);
    running.push(program);
    return program;
  };
  const ready = (worker: Process) => worker.waitForLine(/"msg":"ready/, 90_000);

  /** The worker stops by itself, with one fatal event that says why and what to do. */
  const expectToStop = async (worker: Process, message: RegExp) => {
    expect(await worker.exited).toMatchObject({ code: 2 });
    const events = worker.stderr.map((line) => JSON.parse(line));
    const fatal = events.filter(({ level }) => level === 'fatal');
    expect(fatal).toEqual([expect.objectContaining({ msg: expect.stringMatching(message) })]);
    expect(events.at(-1)).toMatchObject({ msg: 'stopped' });
  };

  /** Batches of a run that wait in the queue of encode jobs of its model. */
  const waiting = async (run: string) => {
    const { model } = await readRun(run);
    const redis = await connectRedis(pipeline.redis.url);
    const queues = openQueues({ model, redis, lockMs: 30_000, world: realWorld });
    const live = await queues.encode.live(run);
    await closeQueues(queues);
    redis.disconnect();
    return live.length;
  };
  const readRun = (run: string) => new RunStore(pipeline.output, '', run).readRun();

  test('with another model than the run’s leave its batches to those that have it', {
    timeout: 240_000,
  }, async () => {
    const other = await workplace.writeBundle('other', { seed: 2 });
    const producer = await start('producer', [...toRun, 'models', '--batch-size', '2']);
    await producer.waitForLine(/"msg":"producing"/, 60_000);
    await waitFor(async () => (await waiting('models')) === 3, {
      deadlineMs: 60_000,
      what: 'three batches in the queue',
    });

    // Its queue is another: it never meets them.
    await ready(await start('encoder-worker', ['--model', other]));
    await ready(await start('encoder-worker', []));
    await ready(await start('decoder-worker', []));
    expect(await producer.exited).toMatchObject({ code: 0 });
    const results = await pipeline.results('models');
    expectToReconcile(results);
    expect(results.summary).toMatchObject({ captioned: images, failed: 0 });
  });

  test('that may not read the bucket leave its batches to those that may', {
    timeout: 240_000,
  }, async () => {
    await Promise.all(running.splice(0).map((each) => stopProcess(each)));
    const producer = await start('producer', [...toRun, 'access']);
    await producer.waitForLine(/"msg":"producing"/, 60_000);
    await expectToStop(
      await start('encoder-worker', [], {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
      }),
      /^There are no credentials for the bucket "archive": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE\.$/,
    );
    await ready(await start('encoder-worker', []));
    await expectToStop(
      await start('decoder-worker', [], {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
      }),
      /^There are no credentials for the bucket "captions": /,
    );
    await ready(await start('decoder-worker', []));
    expect(await producer.exited).toMatchObject({ code: 0 });
    expectToReconcile(await pipeline.results('access'));
    expect((await pipeline.results('access')).summary).toMatchObject({ captioned: images });
  });

  test('finish a run whose name is then refused to another', { timeout: 120_000 }, async () => {
    const message =
      /There is a run "access" already at s3:\/\/captions\/runs\/access\/\. Choose another --run, or go on with it: cutline resume access$/;
    for (const [program, args] of [
      ['producer', []],
      ['cutline', ['run']],
    ] as const) {
      await workplace.expectRefusal(program, [...args, ...toRun, 'access'], {}, message);
    }
    expectToReconcile(await pipeline.results('access'));
  });
});
