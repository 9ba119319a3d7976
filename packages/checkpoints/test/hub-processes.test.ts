import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from './support/checkpoint-folder.ts';
import { FakeHub, sha256 } from './support/fake-hub.ts';
import { contents, expectContents, fetchFrom } from './support/hub-fetches.ts';

const weights = { contents: contents(3_000_000), isLarge: true };
const files = { 'model.safetensors': weights };
const etag = sha256(weights.contents);

function fetchInChild(hub: FakeHub, cacheFolder: string): ChildProcess {
  const script = fileURLToPath(new URL('support/fetch-in-child.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, hub.endpoint, cacheFolder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Until it has so many bytes. */
async function arrived(child: ChildProcess, bytes: number): Promise<void> {
  for await (const line of createInterface({ input: child.stdout! })) {
    if (Number(line) >= bytes) return;
  }
  throw new Error('the child ended first');
}

test('a process that is killed in the middle loses nothing that it had', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.pieceMs = 5;
  const cacheFolder = await temporaryFolder();
  const child = fetchInChild(hub, cacheFolder);
  await arrived(child, 1_000_000);
  child.kill('SIGKILL');
  await once(child, 'close');

  const repo = join(cacheFolder, 'models--org--model');
  const { size } = await stat(join(repo, 'blobs', `${etag}.incomplete`));
  expect(size).toBeGreaterThanOrEqual(1_000_000);
  expect(size).toBeLessThan(3_000_000);
  expect(await readdir(join(cacheFolder, '.locks/models--org--model'))).toHaveLength(1);

  hub.pieceMs = 0;
  hub.sentBytes.clear();
  const before = performance.now();
  const again = fetchInChild(hub, cacheFolder);
  again.stdout!.resume();
  expect(await once(again, 'close')).toEqual([0, null]);
  expect(performance.now() - before).toBeLessThan(20_000); // nobody waits for the dead
  expect(hub.downloads.at(-1)?.range).toBe(`bytes=${size}-`);
  expect(hub.sentBytes.get('model.safetensors')).toBe(3_000_000 - size);
  expect(await readdir(join(repo, 'blobs'))).toEqual([etag]);
  await expectContents(join(repo, 'blobs', etag), weights.contents);
  expect(await readdir(join(cacheFolder, '.locks/models--org--model'))).toEqual([]);
});

test('two processes that want the same fetch it once, and both have it', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.pieceMs = 5;
  const cacheFolder = await temporaryFolder();
  const children = [fetchInChild(hub, cacheFolder), fetchInChild(hub, cacheFolder)];
  const folders = await Promise.all(
    children.map(async (child) => {
      let last = '';
      for await (const line of createInterface({ input: child.stdout! })) last = line;
      return last;
    }),
  );
  expect(folders[0]).toBe(folders[1]);
  await expectContents(join(folders[0]!, 'model.safetensors'), weights.contents);
  expect(hub.sentBytes.get('model.safetensors')).toBe(3_000_000);
});

test('two fetches in one process do each other no harm, either', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const cacheFolder = await temporaryFolder();
  const fetches = Array.from({ length: 5 }, () => fetchFrom({ hub, cacheFolder }));
  const folders = (await Promise.all(fetches)).map(({ folder }) => folder);
  expect(new Set(folders).size).toBe(1);
  expect(hub.sentBytes.get('model.safetensors')).toBe(3_000_000);
});

test.each([
  ['of a process that is gone', { host: hostname(), pid: 2 ** 22 + 7 }, 0],
  ['of a process that had our number', { host: hostname(), pid: process.pid }, 0],
  ['of another machine, not touched for long', { host: 'elsewhere', pid: 1 }, 100],
  ['that was not written to its end, not touched for long', undefined, 100],
])('a lock %s holds nobody up', async (_, owner, ageS) => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const cacheFolder = await temporaryFolder();
  await fetchFrom({ hub, cacheFolder, wanted: () => false });
  const lock = join(cacheFolder, '.locks/models--org--model', `${etag}.cutline`);
  await writeFile(lock, owner ? JSON.stringify({ ...owner, id: 'x' }) : '{');
  const then = Date.now() / 1000 - ageS;
  await utimes(lock, then, then);
  const { folder } = await fetchFrom({ hub, cacheFolder, signal: AbortSignal.timeout(10_000) });
  await expectContents(join(folder, 'model.safetensors'), weights.contents);
});

test('a lock of another machine that is being touched is waited for, until the signal says so', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const cacheFolder = await temporaryFolder();
  await fetchFrom({ hub, cacheFolder, wanted: () => false });
  const lock = join(cacheFolder, '.locks/models--org--model', `${etag}.cutline`);
  await writeFile(lock, JSON.stringify({ host: 'elsewhere', pid: 1, id: 'x' }));
  const signal = AbortSignal.timeout(1000);
  await expect(fetchFrom({ hub, cacheFolder, signal })).rejects.toThrow(/timeout/);
  expect(hub.downloads).toEqual([]);
});
