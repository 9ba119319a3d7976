import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemdNotifier } from '@cutline/shared/process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { waitFor } from '../../../test/support/wait-for.ts';

/** What systemd is told, by a `systemd-notify` that notes it down. */

let folder: string;
let notifier: SystemdNotifier | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-systemd-'));
  const script = `#!/bin/sh\necho "$1" >> ${folder}/told\n`;
  await writeFile(join(folder, 'systemd-notify'), script, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
});

afterEach(async () => {
  notifier?.close();
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const under = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '100000' };
const told = async () => {
  const lines = await readFile(join(folder, 'told'), 'utf8').catch(() => '');
  return lines.split('\n').filter(Boolean);
};
const untilTold = (what: string, times = 1) =>
  waitFor(async () => (await told()).filter((each) => each === what).length >= times, {
    what: `${what}, ${times} times`,
    deadlineMs: 30_000,
  });

test('it is told that a service is ready, then that it is well, and that it stops', async () => {
  notifier = new SystemdNotifier(under);
  notifier.ready(() => undefined);
  await untilTold('--ready');
  await untilTold('WATCHDOG=1', 2);
  notifier.stopping();
  await untilTold('STOPPING=1');
});

test('its watchdog is told nothing by a service that is not well', async () => {
  notifier = new SystemdNotifier(under);
  const unhealthy = vi.fn(() => 'a batch has been in hand for 901 s');
  notifier.ready(unhealthy);
  await waitFor(() => unhealthy.mock.calls.length >= 3, {
    what: 'three looks',
    deadlineMs: 30_000,
  });
  notifier.stopping();
  await untilTold('STOPPING=1');
  expect(await told()).not.toContain('WATCHDOG=1');
});

test('a unit without a watchdog is told nothing else', async () => {
  const unhealthy = vi.fn(() => undefined);
  notifier = new SystemdNotifier({ NOTIFY_SOCKET: under.NOTIFY_SOCKET });
  notifier.ready(unhealthy);
  notifier.stopping();
  await untilTold('STOPPING=1');
  expect((await told()).toSorted()).toEqual(['--ready', 'STOPPING=1']);
  expect(unhealthy).not.toHaveBeenCalled();
});

test('where nobody listens, nothing is started', async () => {
  vi.stubEnv('PATH', '/nowhere');
  notifier = new SystemdNotifier({});
  notifier.ready(() => undefined);
  notifier.stopping();
  expect(await told()).toEqual([]);
});
