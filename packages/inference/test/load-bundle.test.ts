import { execFileSync, spawnSync } from 'node:child_process';
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defaultBundleFolder,
  describeBundle,
  loadDecoderBundle,
  loadEncoderBundle,
} from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** The shipped bundle by symbolic links, so that a test can replace a file of it. */
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-bundle-'));
  for (const name of await readdir(defaultBundleFolder())) {
    await symlink(join(defaultBundleFolder(), name), join(folder, name));
  }
});
afterEach(() => rm(folder, { recursive: true }));

async function complaint(load: (folder: string) => Promise<unknown>): Promise<string> {
  const error = await load(folder).then(
    () => expect.unreachable('was loaded'),
    (e) => e,
  );
  expect(error, error.stack).toBeInstanceOf(UserError);
  expect(error.message).not.toContain('\n');
  return error.message;
}

test('the shipped bundle, by halves; all agree on the model', async () => {
  const summary = await describeBundle(folder);
  expect(summary).toMatchObject({
    id: expect.stringMatching(/^mobilenet-v2-show-attend-tell-broad@[0-9a-f]{12}$/),
    features: { locations: 49, channels: 512 },
    preprocessing: { width: 224, height: 224, fit: 'squash', kernel: 'cubic' },
    attends: true,
  });
  expect((await loadEncoderBundle(folder)).id).toBe(summary.id);
  const decoder = await loadDecoderBundle(folder);
  expect(decoder.id).toBe(summary.id);
  expect(decoder.vocabulary.size).toBe(summary.vocabularySize);
});

test('half of a bundle needs only the files of that half', async () => {
  await unlink(join(folder, 'decoder.safetensors'));
  await unlink(join(folder, 'vocabulary.txt'));
  await loadEncoderBundle(folder);
  expect(await complaint(loadDecoderBundle)).toBe(
    `The folder ${folder} has no decoder.safetensors: copy the model bundle again, or choose another.`,
  );
});

test('a folder that is not there', async () => {
  const error = await describeBundle(join(folder, 'elsewhere')).catch((e) => e);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toBe(
    `There is no folder ${folder}/elsewhere: give the folder of a model bundle (with model.json in it).`,
  );
});

test('a folder that is no bundle', async () => {
  await unlink(join(folder, 'model.json'));
  expect(await complaint(describeBundle)).toContain('has no model.json');
});

test('a damaged model.json', async () => {
  await unlink(join(folder, 'model.json'));
  await writeFile(join(folder, 'model.json'), '{"formatVersion":');
  expect(await complaint(describeBundle)).toContain(
    `in ${folder} cannot be used: model.json: not JSON`,
  );
});

test('weights with one bit flipped', async () => {
  const path = join(folder, 'encoder.safetensors');
  await unlink(path);
  await cp(join(defaultBundleFolder(), 'encoder.safetensors'), path);
  const weights = await readFile(path);
  weights[weights.length - 100]! ^= 1;
  await writeFile(path, weights);
  expect(await complaint(loadEncoderBundle)).toMatch(/encoder\.safetensors: should have SHA-256/);
});

test('weights that are too large are not read', async () => {
  const path = join(folder, 'encoder.safetensors');
  await unlink(path);
  await writeFile(path, '');
  await truncate(path, 200 * 1024 ** 3); // a file of holes, which takes no room
  expect(await complaint(loadEncoderBundle)).toMatch(
    /has 214748364800 bytes of encoder\.safetensors, where at most \d+ are expected: copy/,
  );
});

test('weights that are cut short', async () => {
  const path = join(folder, 'encoder.safetensors');
  await unlink(path);
  await writeFile(path, 'short');
  expect(await complaint(loadEncoderBundle)).toMatch(/should have \d+ bytes, and has 5/);
});

describe.each(['model.json', 'decoder.safetensors', 'vocabulary.txt'])('in place of %s', (name) => {
  const path = () => join(folder, name);
  beforeEach(() => unlink(path()));

  // A process of its own, with a limit of memory: a test that fails must not take the machine's.
  test('a device is refused, not read to its end, which it has not', async () => {
    await symlink('/dev/zero', path());
    const script = `
      import { loadDecoderBundle } from ${JSON.stringify(import.meta.resolve('@cutline/inference'))};
      await loadDecoderBundle(process.argv[1]).catch((error) => console.log(error.name, error.message));
    `;
    const { stdout, status } = spawnSync(
      'prlimit',
      [
        `--data=${4 * 2 ** 30}`,
        ...[process.execPath, '--max-old-space-size=256', '--input-type=module'],
        ...['--eval', script, folder],
      ],
      { encoding: 'utf8', timeout: 20_000 },
    );
    expect(status).toBe(0);
    expect(stdout).toBe(
      `UserError The folder ${folder} has a ${name} that is a device or a pipe, not a file: copy ` +
        'the model bundle again, or choose another.\n',
    );
  });

  test('a pipe is refused, not waited for', async () => {
    execFileSync('mkfifo', [path()]);
    expect(await complaint(loadDecoderBundle)).toContain(`${name} that is a device or a pipe`);
  });

  test('a folder is refused', async () => {
    await mkdir(path());
    expect(await complaint(loadDecoderBundle)).toContain(`${name} that is a folder, not a file`);
  });
});

test('a model.json without an end is not read', async () => {
  await unlink(join(folder, 'model.json'));
  await writeFile(join(folder, 'model.json'), ' '.repeat(2_000_000));
  expect(await complaint(describeBundle)).toContain('has 2000000 bytes of model.json');
});
