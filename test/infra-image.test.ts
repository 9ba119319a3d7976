import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { settings } from '@cutline/shared';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProcess } from './support/processes.ts';

/** The image: its Dockerfile as text, and the two scripts in it for what they do. */

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the Dockerfile', () => {
  const dockerfile = readFileSync(join(root, 'infra/Dockerfile'), 'utf8');
  /** The paths that COPY takes from the build context. */
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, paths = '']) =>
    paths.split(/\s+/).slice(0, -1),
  );

  test('installs with the manifest of every workspace', () => {
    const manifests = ['packages', 'apps'].flatMap((folder) =>
      readdirSync(join(root, folder))
        .map((name) => `${folder}/${name}/package.json`)
        .filter((manifest) => existsSync(join(root, manifest))),
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

  test('serves on the port that the programs take, as somebody other than root', () => {
    expect(dockerfile).toMatch(new RegExp(`^EXPOSE ${settings.httpPort.default}$`, 'm'));
    expect(dockerfile).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
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
