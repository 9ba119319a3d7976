import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { type Process, startProcess, stopProcess } from './support/processes.ts';

/** `node scripts/s3-server.mjs`, by itself. */

let running: Process | undefined;

afterEach(async () => {
  if (running) await stopProcess(running);
});

async function start(...args: string[]): Promise<Process> {
  const script = fileURLToPath(new URL('../scripts/s3-server.mjs', import.meta.url));
  running = await startProcess({ command: process.execPath, args: [script, ...args] });
  return running;
}

test('says where it listens, and answers there', async () => {
  const server = await start();
  const [, endpoint] = await server.waitForLine(/listens at (http:\S+)$/, 60_000);
  expect((await fetch(endpoint!)).status).toBe(200);
  const [, toUse] = await server.waitForLine(/export AWS_ENDPOINT_URL_S3=(\S+)/, 60_000);
  expect(toUse).toBe(endpoint);
});

test('a port that cannot be had is told of in one line', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  for (const [arg, said] of [
    [String(port), /^Port \d+ is in use by another process/],
    ['web', /^usage: /],
  ] as const) {
    const server = await start(arg);
    expect(await server.exited).toMatchObject({ code: 2 });
    expect(server.stderr).toEqual([expect.stringMatching(said)]);
  }
  other.close();
});
