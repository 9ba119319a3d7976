import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuseUnknownVariables, settings } from '@cutline/shared/process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readService, serviceNames, systemdFolder } from './support/infra-systemd.ts';
import { type Pipeline, startPipeline } from './support/pipeline.ts';

/** The units of infra/systemd: held against the programs they start, and as systemd sees them. */

test('there is one for each program that runs for long', () => {
  expect(serviceNames.toSorted()).toEqual([
    'cutline-captioner-worker@.service',
    'cutline-decoder-worker@.service',
    'cutline-encoder-worker@.service',
    'cutline-exporter.service',
    'cutline-resume@.service',
  ]);
});

describe.each(serviceNames)('%s', (name) => {
  const unit = readService(name);
  const only = (key: string) => {
    const [value, ...others] = unit.get(key) ?? [];
    expect(others).toEqual([]);
    return value ?? '';
  };

  test('starts a program that is there, where the project lies', () => {
    expect(only('Service.WorkingDirectory')).toBe('/opt/cutline');
    const [, script] = /^\/usr\/bin\/node --enable-source-maps (\S+)/.exec(
      only('Service.ExecStart'),
    ) as RegExpExecArray;
    expect(existsSync(fileURLToPath(new URL(`../${script}`, import.meta.url)))).toBe(true);
  });

  test('sets variables that the programs know', () => {
    const variables = (unit.get('Service.Environment') ?? []).map((pair) => pair.split('='));
    expect(() => refuseUnknownVariables(Object.fromEntries(variables))).not.toThrow();
  });

  test('is given the time that its program takes to stop', () => {
    const program = name.includes('exporter') ? 5_000 : Number(settings.shutdownMs.default);
    expect(Number(only('Service.TimeoutStopSec')) * 1000).toBeGreaterThan(program);
  });

  test('holds no secret, and no rights', () => {
    expect(only('Service.User')).toBe('cutline');
    expect(unit.get('Service.CapabilityBoundingSet')).toEqual(['']);
    const secrets = /SECRET|PASSWORD|TOKEN|ACCESS_KEY/;
    expect((unit.get('Service.Environment') ?? []).filter((pair) => secrets.test(pair))).toEqual(
      [],
    );
  });
});

const isInstalled = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!isInstalled) console.warn('SKIPPED: systemd is not installed, so its units are not tried.');

describe.skipIf(!isInstalled)('systemd', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-units-'));
    await cp(systemdFolder, folder, { recursive: true });
    for (const name of serviceNames) {
      // Where Node.js is on this machine: it looks whether a program is there.
      const text = await readFile(join(folder, name), 'utf8');
      await writeFile(join(folder, name), text.replaceAll('/usr/bin/node', process.execPath));
    }
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const analyze = (...args: string[]) => {
    const env = { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` };
    return spawnSync('systemd-analyze', args, { cwd: folder, env, encoding: 'utf8' });
  };
  const instance = (name: string) => name.replace('@.', '@9464.');

  test.each([...serviceNames, 'cutline.target'])('understands all of %s', (name) => {
    const { stdout, stderr, status } = analyze('verify', join(folder, instance(name)));
    // It reads its own units besides, and may have something to say of those.
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('cutline'));
    expect(said).toEqual([]);
    expect(status).toBe(0);
  });

  test.each(serviceNames)('finds %s to be confined', (name) => {
    const args = ['security', '--offline=yes', '--threshold=25', join(folder, instance(name))];
    const { stdout, status } = analyze(...args);
    expect(status, stdout).toBe(0);
  });
});

describe('a worker that systemd starts', () => {
  let pipeline: Pipeline;

  beforeAll(async () => {
    pipeline = await startPipeline();
  }, 60_000);
  afterAll(() => pipeline?.stop());

  test('tells it when it is ready, that it is well, and when it stops', {
    timeout: 120_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cutline-notify-'));
    const notify = `#!/bin/sh\necho "$1" >> ${folder}/told\n`;
    await writeFile(join(folder, 'systemd-notify'), notify, { mode: 0o755 });
    const told = async () => (await readFile(join(folder, 'told'), 'utf8')).trim().split('\n');
    const worker = await pipeline.startWorker('decoder-worker', {
      PATH: `${folder}:${process.env.PATH}`,
      NOTIFY_SOCKET: '/run/systemd/notify',
      WATCHDOG_USEC: '200000',
    });
    await vi.waitFor(async () => expect(await told()).toContain('WATCHDOG=1'), 20_000);
    worker.kill('SIGTERM');
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    await vi.waitFor(async () => expect((await told()).at(-1)).toBe('STOPPING=1'), 20_000);
    expect((await told()).filter((line) => line === '--ready')).toHaveLength(1);
    await rm(folder, { recursive: true, force: true });
  });
});
