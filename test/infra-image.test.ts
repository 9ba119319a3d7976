import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { settings } from '@cutline/shared/process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { imageOf, readDockerfile, type Stage } from './support/infra-dockerfile.ts';
import { startProcess } from './support/processes.ts';

/** The images: their Dockerfile as text, and the two scripts in them for what they do. */

const root = fileURLToPath(new URL('..', import.meta.url));

const folders = (group: string) =>
  readdirSync(join(root, group)).filter((name) =>
    existsSync(join(root, group, name, 'package.json')),
  );
const workers = folders('apps').filter((name) => name.endsWith('-worker'));
const variants = ['none', 'cpu', 'gpu'] as const;

describe('the Dockerfile', () => {
  const stages = readDockerfile();
  const instructions = [...stages.values()].flatMap((stage) => stage.instructions);
  /** The paths that COPY takes from the build context. */
  const copied = instructions
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));

  test('installs with the manifest of every workspace', () => {
    const manifests = ['packages', 'apps'].flatMap((group) =>
      folders(group).map((name) => `${group}/${name}/package.json`),
    );
    expect(manifests.length).toBeGreaterThan(5);
    expect(copied).toEqual(expect.arrayContaining(manifests));
  });

  test('copies what exists, and what .dockerignore lets in', () => {
    const letIn = readFileSync(join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const path of copied) {
      expect(existsSync(join(root, path)), path).toBe(true);
      const admitted = letIn.some((each) => path === each || path.startsWith(`${each}/`));
      expect(admitted, `${path} in .dockerignore`).toBe(true);
    }
  });

  test('copies from stages that come before', () => {
    const before = new Set<string>();
    for (const [name, stage] of stages) {
      for (const { rest } of stage.instructions) {
        const from = /^--from=(\S+)/.exec(rest)?.[1];
        if (from) expect(before).toContain(from);
      }
      before.add(name);
    }
  });

  test('sets TensorFlow up as everyone does, for the device of the variant', () => {
    const { from, instructions: steps } = stages.get('tensorflow') as Stage;
    expect(from).toBe('manifests');
    const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts;
    expect(scripts).toHaveProperty('setup:tensorflow');
    expect(steps).toContainEqual({
      name: 'RUN',
      rest: expect.stringMatching(/ npm run setup:tensorflow -- --\$\{TENSORFLOW\} /),
    });
    expect(steps).toContainEqual({ name: 'ARG', rest: 'TENSORFLOW' });
  });

  test('builds the command line when no target is named', () => {
    expect([...stages.keys()].at(-1)).toBe('cutline');
  });

  describe.each(
    ['cutline', ...workers].flatMap((target) => variants.map((variant) => ({ target, variant }))),
  )('$target, $variant', ({ target, variant }) => {
    const image = imageOf(readDockerfile({ TENSORFLOW: variant }), target);
    const last = (name: string) => image.instructions.findLast((each) => each.name === name)?.rest;
    const all = (name: string) =>
      image.instructions.filter((each) => each.name === name).map(({ rest }) => rest);

    test('stands on its base, with Node and TensorFlow', () => {
      const node = /^node:\d+\.\d+\.\d+-bookworm-slim$/;
      const cuda = /^nvidia\/cuda:12\.\d+\.\d+-base-ubuntu24\.04$/;
      expect(image.from).toMatch(variant === 'gpu' ? cuda : node);
      const fromNode = all('COPY').filter((rest) => rest.startsWith('--from=node '));
      expect(fromNode).toHaveLength(variant === 'gpu' ? 1 : 0);
      const fromTensorflow = all('COPY').filter((rest) => rest.startsWith('--from=tensorflow '));
      const path = '/app/.cache/tensorflow';
      expect(fromTensorflow).toEqual(
        variant === 'none' ? [] : [`--from=tensorflow ${path} ${path}`],
      );
    });

    test('is made of files alone: no compiler, pip or apt has run in it', () => {
      expect(all('RUN')).toEqual([]);
    });

    test('starts its program', () => {
      const entrypoint = ['/bin/sh', '/app/infra/entrypoint.sh'];
      if (target !== 'cutline') entrypoint.push(target);
      expect(JSON.parse(last('ENTRYPOINT') ?? '')).toEqual(entrypoint);
      expect(last('CMD')).toBe(target === 'cutline' ? '["cutline", "--help"]' : undefined);
    });

    test('serves on the port that the programs take, as somebody other than root, and is asked how it is', () => {
      expect(last('EXPOSE')).toBe(settings.httpPort.default);
      expect(last('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      expect(last('HEALTHCHECK')).toContain('["node", "/app/infra/healthcheck.mjs"]');
    });
  });

  test('has a target for each worker', () => {
    expect(workers).toEqual(['captioner-worker', 'decoder-worker', 'encoder-worker']);
  });
});

describe('entrypoint.sh', () => {
  let folder: string;
  const program = 'console.log(process.pid, ...process.argv.slice(2)); process.exitCode = 3;';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-image-'));
    for (const name of ['first', 'second']) {
      const main = join(folder, 'apps', name, 'dist/main.js');
      await mkdir(dirname(main), { recursive: true });
      await writeFile(main, program);
    }
    await mkdir(join(folder, 'infra'));
    await copyFile(join(root, 'infra/entrypoint.sh'), join(folder, 'infra/entrypoint.sh'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = async (...args: string[]) => {
    const entrypoint = await startProcess({
      command: '/bin/sh',
      args: [join(folder, 'infra/entrypoint.sh'), ...args],
    });
    const { code } = await entrypoint.exited;
    return { ...entrypoint, code };
  };

  test('becomes the program that its first argument names', async () => {
    const { code, stdout, pid } = await run('second', '--flag', 'a b');
    expect(stdout).toEqual([`${pid} --flag a b`]);
    expect(code).toBe(3);
  });

  test.each([[], ['third'], ['']])('says which programs there are, given %j', async (...args) => {
    const { code, stderr } = await run(...(args as string[]));
    expect(stderr).toEqual([
      `Expected the name of a program, found "${args[0] ?? ''}". The programs are: first second.`,
    ]);
    expect(code).toBe(64);
  });
});

describe('healthcheck.mjs', () => {
  const check = async (port: number) => {
    const process = await startProcess({
      command: 'node',
      args: [join(root, 'infra/healthcheck.mjs')],
      env: { CUTLINE_HTTP_PORT: String(port) },
    });
    const { code } = await process.exited;
    return { code, stderr: process.stderr };
  };

  test('follows /healthz', async () => {
    let status = 200;
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/healthz' ? status : 404).end('a batch hangs\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      expect(await check(port)).toEqual({ code: 0, stderr: [] });
      status = 503;
      expect(await check(port)).toEqual({ code: 1, stderr: ['503: a batch hangs'] });
    } finally {
      server.close();
      server.closeAllConnections();
    }
    const { code, stderr } = await check(port);
    expect(code).toBe(1);
    expect(stderr).toEqual([expect.stringContaining('ECONNREFUSED')]);
  });
});
