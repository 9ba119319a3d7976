/**
 * What `npm run setup:tensorflow` decides, and what it leaves behind when it fails. That it works
 * is for CI, which runs it: the tests of the backend are skipped where it has not.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makePlan, parseRequest, satisfies } from '../scripts/setup-tensorflow/plan.mjs';
import { runStep } from '../scripts/setup-tensorflow/run-step.mjs';
import { findPackageVersion } from '../scripts/setup-tensorflow.mjs';

const linux = { platform: 'linux', arch: 'x64', hasGpu: false };
const planFor = (args: string[], machine = linux) =>
  makePlan(parseRequest(args), machine, '4.22.0');

describe('the plan', () => {
  it('tries the package’s own download, then a build', () => {
    expect(planFor([])).toEqual({
      device: 'cpu',
      packageName: '@tensorflow/tfjs-node',
      packageVersion: '4.22.0',
      ways: ['download', 'build'],
      requirement: expect.stringMatching(/^tensorflow-cpu==2\.\d+\.\d+$/),
      platform: 'linux-x64',
    });
  });

  it('is for the GPU where there is one, unless told otherwise', () => {
    const machine = { ...linux, hasGpu: true };
    expect(planFor([], machine)).toMatchObject({
      device: 'gpu',
      packageName: '@tensorflow/tfjs-node-gpu',
      ways: ['download', 'build'],
      requirement: expect.stringMatching(/^tensorflow\[and-cuda\]==2\./),
    });
    expect(planFor(['--cpu'], machine).device).toBe('cpu');
  });

  it('builds where no GPU is there for the download to prove itself on', () => {
    expect(planFor(['--gpu']).ways).toEqual(['build']);
  });

  it('builds against the version that is asked for', () => {
    const { ways, requirement } = planFor(['--cpu', '--tensorflow', '2.19.1']);
    expect({ ways, requirement }).toEqual({
      ways: ['build'],
      requirement: 'tensorflow-cpu==2.19.1',
    });
    const arm = { ...linux, arch: 'arm64' };
    expect(planFor(['--tensorflow', '2.19.1'], arm).requirement).toBe('tensorflow==2.19.1');
  });

  it('has nothing but the download outside Linux', () => {
    const mac = { ...linux, platform: 'darwin', arch: 'arm64' };
    expect(planFor([], mac).ways).toEqual(['download']);
    expect(() => planFor(['--gpu'], mac)).toThrow(/on Linux only\.$/);
    const windows = { ...linux, platform: 'win32' };
    expect(() => planFor(['--tensorflow', '2.21.0'], windows)).toThrow(/: use WSL\.$/);
  });

  it.each([
    [['--gpu', '--cpu'], 'Give --cpu or --gpu, not both.'],
    [['--tensorflow', 'latest'], '--tensorflow takes a version such as 2.21.0, not "latest".'],
    [['--gpus'], "Unknown option '--gpus'."],
  ])('refuses %j', (args, message) => {
    expect(() => parseRequest(args)).toThrow(message);
  });
});

describe('the packages', () => {
  const readJson = (path: string) =>
    JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));
  const planned = ['--cpu', '--gpu'].map((flag) =>
    makePlan(parseRequest([flag]), linux, findPackageVersion()),
  );
  const expected = <Value>(pick: (plan: (typeof planned)[number]) => Value) =>
    Object.fromEntries(planned.map((plan) => [plan.packageName, pick(plan)]));

  it('are optional peers of the captioner, in the version that is put in place', () => {
    const { peerDependencies, peerDependenciesMeta } = readJson('packages/captioner/package.json');
    expect(peerDependencies).toEqual(expected(({ packageVersion }) => packageVersion));
    expect(peerDependenciesMeta).toEqual(expected(() => ({ optional: true })));
  });

  it('are not what npm ci installs', () => {
    const locked = Object.keys(readJson('package-lock.json').packages);
    expect(locked).toContain('node_modules/@tensorflow/tfjs-core');
    expect(locked.filter((path) => path.includes('/@tensorflow/tfjs-node'))).toEqual([]);
  });
});

describe('what is there', () => {
  const record = {
    device: 'cpu',
    packageVersion: '4.22.0',
    tensorflow: '2.21.0',
    platform: 'linux-x64',
  } as const;
  const isEnough = (args: string[], given: Partial<typeof record> | { device: 'gpu' } = {}) =>
    satisfies({ ...record, ...given }, parseRequest(args), planFor(args));

  it('is enough when it is what was asked for', () => {
    expect(isEnough([])).toBe(true);
    expect(isEnough(['--cpu', '--tensorflow', '2.21.0'])).toBe(true);
    expect(isEnough([], { device: 'gpu' })).toBe(true);
  });

  it('is not when it is for something else', () => {
    expect(isEnough(['--gpu'])).toBe(false);
    expect(isEnough(['--cpu'], { device: 'gpu' })).toBe(false);
    expect(isEnough(['--tensorflow', '2.20.0'])).toBe(false);
    expect(satisfies({ ...record, packageVersion: '4.21.0' }, { check: false }, planFor([]))).toBe(
      false,
    );
    expect(satisfies({ ...record, platform: 'linux-arm64' }, { check: false }, planFor([]))).toBe(
      false,
    );
  });
});

describe('failure', () => {
  let cache: string;
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'cutline-setup-'));
  });
  afterEach(() => rmSync(cache, { recursive: true }));

  function setUp(args: string[], env: NodeJS.ProcessEnv) {
    const program = `
      import { main } from ${JSON.stringify(new URL('../scripts/setup-tensorflow.mjs', import.meta.url))};
      process.exitCode = await main(process.argv.slice(2), process.argv[1]);
    `;
    const run = ['--input-type=module', '--eval', program, cache, ...args];
    const options = { encoding: 'utf8', env: { ...process.env, ...env } } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, run, options);
    return { status, stdout, stderr, left: readdirSync(cache) };
  }
  const sorry = /^TensorFlow could not be set up \(.*\)\. Cutline goes on without it\.\n$/;
  const justTheLog = ['tensorflow-setup.log'];

  const isLinux = process.platform === 'linux';
  it.skipIf(!isLinux)('without Python is one sentence, and fetches nothing', () => {
    const { status, stdout, stderr, left } = setUp(['--tensorflow', '2.21.0'], { PATH: cache });
    expect(stdout).toBe('  A build needs python3, which is not installed (apt: python3-pip).\n');
    expect(stderr).toMatch(sorry);
    expect({ status, left }).toEqual({ status: 1, left: justTheLog });
  });

  const tools = ['python3 -m pip', 'make', 'c++'];
  const canBuild =
    isLinux && tools.every((tool) => spawnSync(`${tool} --version`, { shell: true }).status === 0);
  it.skipIf(!canBuild)('without a way to pip’s index is one sentence, and leaves nothing', () => {
    const nowhere = 'http://127.0.0.1:9/simple';
    const { status, stdout, stderr, left } = setUp(['--cpu', '--tensorflow', '2.21.0'], {
      PIP_INDEX_URL: nowhere,
      PIP_EXTRA_INDEX_URL: nowhere,
      PIP_FIND_LINKS: '',
      PIP_RETRIES: '0',
      PIP_CONFIG_FILE: '/dev/null',
    });
    expect(stdout).toMatch(
      /\n {2}pip could not install tensorflow(-cpu)?==2\.21\.0: it finds none, or cannot reach its host\.\n$/,
    );
    expect(stderr).toMatch(sorry);
    expect({ status, left }).toEqual({ status: 1, left: justTheLog });
  });

  it.each([
    [
      'npm’s',
      'npm error code CERT\nnpm error request to https://x failed, reason: self-signed certificate\n' +
        'npm error A complete log of this run can be found in: /root/.npm/_logs/1.log\n',
      'request to https://x failed, reason: self-signed certificate',
    ],
    ['pip’s', 'WARNING: old\nERROR: no space left on device.\n', 'ERROR: no space left on device'],
    ['anyone’s', 'one thing\nand another\n', 'and another'],
    ['nobody’s', '', 'it says nothing more'],
  ])('of a step is explained in %s words', (_, printed, reason) => {
    const program = `process.stderr.write(${JSON.stringify(printed)}); process.exitCode = 1;`;
    const step = { cwd: cache, log: join(cache, 'log'), timeoutMs: 30_000 };
    expect(() => runStep('It failed', process.execPath, ['--eval', program], step)).toThrow(
      new Error(`It failed: ${reason}.`),
    );
  });

  it('is what --check says where there is nothing', () => {
    const { status, stderr, left } = setUp(['--check'], {});
    expect({ status, stderr, left }).toEqual({
      status: 1,
      stderr: 'TensorFlow is not set up.\n',
      left: justTheLog,
    });
  });
});
