import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from './support/checkpoint-folder.ts';
import { FakeHub, type Fault, sha256 } from './support/fake-hub.ts';
import {
  contents,
  expectContents,
  expectRefusal,
  fetchFrom,
  files,
  weights,
} from './support/hub-fetches.ts';

const large = /^\/model\.safetensors/;
const info = /^\/api\//;
const resolve = /\/resolve\/.*model\.safetensors/;
const etag = sha256(weights.contents);

const faults: Fault[] = [
  { status: 429, retryAfter: '0' },
  { status: 500 },
  { status: 503 },
  'hang',
  'stall',
  'reset',
  'truncate',
  'corrupt',
  'longer',
];
const name = (fault: Fault) => (typeof fault === 'object' ? String(fault.status) : fault);

test.each(faults.map((fault) => [name(fault), fault] as const))(
  '%s while a large file is fetched does no harm',
  async (_, fault) => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(large, fault);
    const { folder } = await fetchFrom({ hub, patience: { stallMs: 500 } });
    await expectContents(join(folder, 'model.safetensors'), weights.contents);
    expect(hub.downloads.filter(({ host }) => host === 'elsewhere')).toHaveLength(2);
    expect((await readdir(join(folder, '../../blobs'))).filter((n) => /incomp/.test(n))).toEqual(
      [],
    );
  },
);

test.each([
  ['the list', info, { status: 502 }],
  ['the list', info, 'hang'],
  ['the redirect', resolve, { status: 500 }],
  ['a question for one file', resolve, 'hang'],
] as const)('of %s, the same', async (what, path, fault) => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.saysBlobs = !what.startsWith('a question');
  hub.fail(path, fault);
  const { folder } = await fetchFrom({ hub, patience: { stallMs: 500 } });
  await expectContents(join(folder, 'model.safetensors'), weights.contents);
});

test.each(['reset', 'stall', 'truncate'] as const)(
  'after %s it goes on where it was: only the rest is sent again',
  async (fault) => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(large, fault, 3);
    // Long enough that a busy machine is not taken for a hub that stalls.
    await fetchFrom({ hub, patience: { stallMs: fault === 'stall' ? 1_500 : 30_000 } });
    const ranges = hub.downloads.filter(({ host }) => host === 'elsewhere').map((r) => r.range);
    expect(ranges).toHaveLength(4);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1)).toEqual(['bytes=300000-', 'bytes=450000-', 'bytes=525000-']);
    expect(hub.sentBytes.get('model.safetensors')).toBe(600_000);
  },
);

test('breaks in which something arrives are not counted: only those in a row are', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.fail(large, 'reset', 12);
  const { folder } = await fetchFrom({ hub, patience: { triesMax: 2 } });
  await expectContents(join(folder, 'model.safetensors'), weights.contents);
});

test('a server that does not know ranges sends everything again', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.fail(large, 'reset');
  hub.fail(large, 'ignore-range');
  const told: number[] = [];
  const { folder } = await fetchFrom({
    hub,
    onProgress: ({ file, fileBytes }) => file === 'model.safetensors' && told.push(fileBytes),
  });
  await expectContents(join(folder, 'model.safetensors'), weights.contents);
  expect(hub.sentBytes.get('model.safetensors')).toBe(900_000);
  expect(told.at(-1)).toBe(600_000);
});

test('Retry-After is waited for', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.fail(info, { status: 429, retryAfter: '1' });
  const before = performance.now();
  await fetchFrom({ hub });
  expect(performance.now() - before).toBeGreaterThan(990);
});

test('a server that never recovers is given up, and said to be', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.fail(info, { status: 503 }, 100);
  await expectRefusal(fetchFrom({ hub }), /answers 503, after 4 tries: try again later\.$/);
  expect(hub.requests).toHaveLength(4);
});

test('a server that never answers is given up', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.fail(info, 'hang', 100);
  await expectRefusal(
    fetchFrom({ hub, patience: { stallMs: 100, triesMax: 2 } }),
    /sent nothing for 0\.1 s, after 2 tries: check the network, set HF_ENDPOINT/,
  );
});

test.each(['corrupt', 'longer'] as const)(
  '%s twice is said, and nothing is kept',
  async (fault) => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(large, fault, 2);
    const cacheFolder = await temporaryFolder();
    await expectRefusal(
      fetchFrom({ hub, cacheFolder }),
      /^'model\.safetensors' of org\/model arrives otherwise than it was published, twice/,
    );
    const repo = join(cacheFolder, 'models--org--model');
    expect((await readdir(join(repo, 'blobs'))).filter((n) => n.startsWith(etag))).toEqual([]);
    expect(hub.downloads.filter(({ host }) => host === 'elsewhere')).toHaveLength(2);
    await fetchFrom({ hub, cacheFolder });
  },
);

test('a small file is checked by its git blob id', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.fail(/resolve\/.*config\.json/, 'corrupt', 2);
  await expectRefusal(fetchFrom({ hub }), /^'config\.json' of org\/model arrives otherwise/);
});

test('contents of another size than was said are refused', async () => {
  const claims = { bytes: 1000 };
  const hub = await FakeHub.start({ 'org/model': { files: { x: { ...weights, claims } } } });
  await expectRefusal(fetchFrom({ hub }), /600000 bytes instead of 1000/);
});

test('what is aborted ends at once, and is gone on with later', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.pieceMs = 20;
  const cacheFolder = await temporaryFolder();
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = ({ bytes }: { bytes: number }) => bytes > 200_000 && controller.abort(reason);
  const fetching = fetchFrom({ hub, cacheFolder, signal: controller.signal, onProgress });
  await expect(fetching).rejects.toBe(reason);
  const incomplete = join(cacheFolder, 'models--org--model/blobs', `${etag}.incomplete`);
  const { size } = await stat(incomplete);
  expect(size).toBeGreaterThan(200_000 - 20_000);
  expect(size).toBeLessThan(600_000);
  const { commit } = await fetchFrom({ hub, cacheFolder, wanted: () => false });
  await expectRefusal(
    fetchFrom({ hub, cacheFolder, isOffline: true, revision: commit }),
    /'model\.safetensors' of org\/model at '[0-9a-f]+' is not in/,
  );
  hub.pieceMs = 0;
  await fetchFrom({ hub, cacheFolder });
  expect(hub.downloads.at(-1)?.range).toBe(`bytes=${size}-`);
});

test.each(['hang', { status: 429, retryAfter: '60' }] as const)(
  'what is aborted while it waits (%j) ends at once',
  async (fault) => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(large, fault);
    const signal = AbortSignal.timeout(300);
    const before = performance.now();
    await expect(fetchFrom({ hub, signal })).rejects.toThrow(/timeout/);
    expect(performance.now() - before).toBeLessThan(1900);
  },
);

test('one that was aborted before asks for nothing', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  await expect(fetchFrom({ hub, signal: AbortSignal.abort('no') })).rejects.toBe('no');
  expect(hub.requests).toEqual([]);
});

test('no more than so many files are fetched at a time', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`${i}.txt`, { contents: contents(50_000, i + 2) }]),
  );
  const hub = await FakeHub.start({ 'org/model': { files: many } });
  hub.pieceMs = 5;
  const open = new Map<string, number>();
  let most = 0;
  const { folder } = await fetchFrom({
    hub,
    downloadsMax: 3,
    onProgress({ file, fileBytes, fileBytesTotal }) {
      if (fileBytes === fileBytesTotal) open.delete(file);
      else open.set(file, fileBytes);
      most = Math.max(most, open.size);
    },
  });
  expect(most).toBe(3);
  expect(await readdir(folder)).toHaveLength(12);
});

test('one file that cannot be had ends the others', async () => {
  const hub = await FakeHub.start({
    'org/model': {
      files: { ...files, 'b.bin': { contents: contents(500_000, 9), isLarge: true } },
    },
  });
  hub.pieceMs = 50;
  hub.fail(resolve, { status: 404 });
  const before = performance.now();
  await expectRefusal(fetchFrom({ hub }), /org\/model has no file 'model\.safetensors'/);
  expect(performance.now() - before).toBeLessThan(1500);
});

describe('while memory is collected, in which fetch forgets what it should listen to,', () => {
  const collect = () => {
    setFlagsFromString('--expose-gc');
    const gc: () => void = runInNewContext('gc');
    const timer = setInterval(gc, 25);
    onTestFinished(() => clearInterval(timer));
  };

  test('a connection that stalls is given up', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(large, 'stall', 2);
    hub.fail(info, 'hang');
    collect();
    const signal = AbortSignal.timeout(30_000);
    const { folder } = await fetchFrom({ hub, patience: { stallMs: 600 }, signal });
    await expectContents(join(folder, 'model.safetensors'), weights.contents);
  });

  test('what is aborted ends', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(large, 'stall');
    collect();
    const controller = new AbortController();
    const fetching = fetchFrom({ hub, signal: controller.signal, patience: { stallMs: 60_000 } });
    setTimeout(() => controller.abort(new Error('enough')), 1500);
    await expect(fetching).rejects.toThrow('enough');
  });

  test('one file that cannot be had ends another that is on its way', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(large, 'stall');
    hub.fail(/resolve.*config/, 'hang');
    hub.fail(/resolve.*config/, { status: 404 });
    collect();
    // The first hangs, and is refused at its second try; the other has half of what it should.
    const fetching = fetchFrom({ hub, patience: { stallMs: 1500 } });
    await expectRefusal(fetching, /has no file 'config\.json'/);
  });
});
