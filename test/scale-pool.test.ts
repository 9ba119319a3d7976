import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startProcess } from './support/processes.ts';
import { freePort, startRedis } from './support/redis-server.ts';
import { writeTinyBundle } from './support/tiny-bundle.ts';
import { waitFor } from './support/wait-for.ts';

/** A pool on one machine: as many workers as Prometheus says are wanted, within its bounds. */

const script = fileURLToPath(new URL('../infra/scale-pool.mjs', import.meta.url));

test('has as many workers as are wanted, tells of them, and ends them with itself', {
  timeout: 120_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-pool-'));
  const asked: (string | null)[] = [];
  const prometheus = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://prometheus').searchParams.get('query'));
    response.end(JSON.stringify({ data: { result: [{ value: [0, '7.3'] }] } }));
  });
  await new Promise<void>((resolve) => prometheus.listen(0, '127.0.0.1', resolve));
  const redis = await startRedis();
  const port = await freePort();
  const targets = join(folder, 'targets.yml');
  const pool = await startProcess({
    command: process.execPath,
    args: [
      ...[script, 'decoder-worker', '--max', '2', '--first-port', String(port)],
      ...['--prometheus', `http://127.0.0.1:${(prometheus.address() as AddressInfo).port}`],
      ...['--targets', targets],
    ],
    env: {
      REDIS_URL: redis.url,
      CUTLINE_HTTP_HOST: '127.0.0.1',
      CUTLINE_MODEL: await writeTinyBundle(join(folder, 'model')),
    },
  });
  const ready = () => pool.stderr.filter((line) => line.includes('ready: taking decode')).length;
  await waitFor(() => ready() === 2, { deadlineMs: 90_000, what: 'two workers' });
  expect(asked[0]).toBe('cutline:pool_workers_wanted{stage="decode"}');
  expect(await readFile(targets, 'utf8')).toBe(
    `- targets: [127.0.0.1:${port}, 127.0.0.1:${port + 1}]\n`,
  );
  pool.kill('SIGTERM');
  expect(await pool.exited).toEqual({ code: 0, signal: null });
  prometheus.close();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

test('says how it is called', async () => {
  const pool = await startProcess({ command: process.execPath, args: [script, 'exporter'] });
  expect((await pool.exited).code).toBe(2);
  expect(pool.stderr.join()).toContain('usage: scale-pool.mjs');
});
