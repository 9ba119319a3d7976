import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { DownloadProgress } from '@cutline/checkpoints/hub';
import { isWeightFile, openCheckpoint } from '@cutline/checkpoints/weights';
import { describe, expect, test } from 'vitest';
import { fixture, temporaryFolder } from './support/checkpoint-folder.ts';
import { blobId, commitOf, FakeHub, sha256 } from './support/fake-hub.ts';
import {
  config,
  contents,
  expectContents,
  expectRefusal,
  fetchFrom,
  files,
  weights,
} from './support/hub-fetches.ts';

const commit = commitOf({ files });
const otherCommit = 'decade'.padEnd(40, '0');

test('the files that are asked for are fetched, and no others', async () => {
  const hub = await FakeHub.start({
    'org/model': {
      files: { ...files, 'tf_model.h5': { contents: contents(1000), isLarge: true } },
    },
  });
  const snapshot = await fetchFrom({ hub, wanted: (name) => !name.endsWith('.h5') });
  expect(snapshot).toEqual({
    folder: expect.stringMatching(new RegExp(`/models--org--model/snapshots/${commit}$`)),
    commit,
    licence: 'bsd-3-clause',
    files: ['config.json', 'model.safetensors'],
  });
  for (const [name, file] of Object.entries(files)) {
    await expectContents(join(snapshot.folder, name), file.contents);
  }
  expect(hub.downloads.map(({ path }) => path).join()).not.toContain('h5');
  expect(hub.requests.every(({ path }) => !path.includes('resolve/main'))).toBe(true);
});

test('of weights in several formats, one is fetched', async () => {
  const both = { ...files, 'pytorch_model.bin': { contents: contents(1000), isLarge: true } };
  const hub = await FakeHub.start({ 'org/model': { files: both } });
  expect((await fetchFrom({ hub, wanted: isWeightFile })).files).toEqual(['model.safetensors']);
});

test('they lie where Python looks for them', async () => {
  const hub = await FakeHub.start({ 'org/model': { files: { ...files, 'a/b/c.txt': config } } });
  const cacheFolder = await temporaryFolder();
  const { folder } = await fetchFrom({ hub, cacheFolder, revision: 'refs/pr/1' });
  const repo = join(cacheFolder, 'models--org--model');
  expect(await readFile(join(repo, 'refs', 'refs', 'pr', '1'), 'utf8')).toBe(commit);
  const etags = [blobId(config.contents), sha256(weights.contents)];
  expect((await readdir(join(repo, 'blobs'))).sort()).toEqual(etags.sort());
  expect(await readlink(join(folder, 'config.json'))).toBe(
    `../../blobs/${blobId(config.contents)}`,
  );
  expect(await readlink(join(folder, 'a/b/c.txt'))).toBe(
    `../../../../blobs/${blobId(config.contents)}`,
  );
  expect(await readdir(join(cacheFolder, '.locks', 'models--org--model'))).toEqual([]);
  expect(await readdir(join(repo, '.cutline'))).toEqual([`${commit}.json`]);
  // Two names for the same contents: fetched once.
  expect(hub.downloads.filter(({ host }) => host === 'hub')).toHaveLength(2);
});

test('what is there is not fetched again, whoever fetched it', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const cacheFolder = await temporaryFolder();
  // As another program leaves it: one file whole, and the contents of another without its name.
  const repo = join(cacheFolder, 'models--org--model');
  const snapshot = join(repo, 'snapshots', commit);
  await mkdir(join(repo, 'blobs'), { recursive: true });
  await mkdir(snapshot, { recursive: true });
  await writeFile(join(repo, 'blobs', blobId(config.contents)), config.contents);
  await symlink(`../../blobs/${blobId(config.contents)}`, join(snapshot, 'config.json'));
  await writeFile(join(repo, 'blobs', sha256(weights.contents)), weights.contents);
  const { folder } = await fetchFrom({ hub, cacheFolder });
  expect(hub.downloads).toEqual([]);
  expect((await lstat(join(folder, 'model.safetensors'))).isSymbolicLink()).toBe(true);
  await expectContents(join(folder, 'model.safetensors'), weights.contents);
});

test('a link to what was deleted is mended', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const cacheFolder = await temporaryFolder();
  const { folder } = await fetchFrom({ hub, cacheFolder });
  await rm(join(cacheFolder, 'models--org--model/blobs', sha256(weights.contents)));
  await fetchFrom({ hub, cacheFolder });
  await expectContents(join(folder, 'model.safetensors'), weights.contents);
});

test('a commit that was fetched is had again without the hub; a branch is asked for', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const cacheFolder = await temporaryFolder();
  const first = await fetchFrom({ hub, cacheFolder });
  hub.repos.set('org/model', { files: { 'config.json': weights }, commit: otherCommit });
  const before = hub.requests.length;
  expect(await fetchFrom({ hub, cacheFolder, revision: commit })).toEqual(first);
  expect(hub.requests.length).toBe(before);
  const second = await fetchFrom({ hub, cacheFolder });
  expect(second.commit).toBe(otherCommit);
  expect(second.files).toEqual(['config.json']);
});

test('progress is told in bytes, of each file and of all, those that were there included', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const cacheFolder = await temporaryFolder();
  await fetchFrom({ hub, cacheFolder, wanted: (name) => name === 'config.json' });
  const told: DownloadProgress[] = [];
  await fetchFrom({ hub, cacheFolder, onProgress: (progress) => told.push(progress) });
  const bytesTotal = config.contents.length + weights.contents.length;
  expect(told[0]).toMatchObject({ file: 'config.json', bytes: config.contents.length, bytesTotal });
  expect(told.at(-1)).toEqual({
    file: 'model.safetensors',
    fileBytes: 600_000,
    fileBytesTotal: 600_000,
    bytes: bytesTotal,
    bytesTotal,
  });
  expect(told.length).toBeGreaterThan(5);
  expect(told.every(({ bytes }, i) => i === 0 || bytes >= told[i - 1]!.bytes)).toBe(true);
});

test('files of which the list says nothing more are asked for one by one', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  hub.saysBlobs = false;
  const { folder } = await fetchFrom({ hub });
  await expectContents(join(folder, 'model.safetensors'), weights.contents);
  await expectContents(join(folder, 'config.json'), config.contents);
  expect(hub.requests.filter(({ method }) => method === 'HEAD')).toHaveLength(2);
});

test('an empty file is a file', async () => {
  const hub = await FakeHub.start({
    'org/model': { files: { empty: { contents: Buffer.alloc(0) } } },
  });
  const { folder } = await fetchFrom({ hub });
  expect(await readFile(join(folder, 'empty'))).toEqual(Buffer.alloc(0));
});

test('what was fetched can be opened', async () => {
  const torch = { contents: await readFile(fixture('state-dict.bin')), isLarge: true };
  const hub = await FakeHub.start({ 'org/model': { files: { 'pytorch_model.bin': torch } } });
  const checkpoint = await openCheckpoint((await fetchFrom({ hub })).folder);
  expect((await checkpoint.read('norm.weight')).data).toEqual(Float32Array.of(1, 1));
  await checkpoint.close();
});

test('a renamed repository is found under its old name', async () => {
  const hub = await FakeHub.start({ 'new/name': { files } });
  hub.renamed.set('org/model', 'new/name');
  for (const saysBlobs of [true, false]) {
    hub.saysBlobs = saysBlobs;
    const { folder } = await fetchFrom({ hub });
    await expectContents(join(folder, 'model.safetensors'), weights.contents);
  }
});

describe('the token', () => {
  test('goes to the hub and to nobody else', async () => {
    const hub = await FakeHub.start({ 'org/model': { files, tokens: ['hf_secret'] } });
    hub.saysBlobs = false;
    await fetchFrom({ hub, token: 'hf_secret' });
    const seen = (host: string) =>
      new Set(hub.requests.filter((r) => r.host === host).map((r) => r.authorization));
    expect(seen('hub')).toEqual(new Set(['Bearer hf_secret']));
    expect(seen('elsewhere')).toEqual(new Set([undefined]));
    expect(hub.requests.filter(({ host }) => host === 'elsewhere')).toHaveLength(1);
  });

  test('is not sent where there is none', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    await fetchFrom({ hub });
    expect(hub.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

describe('the licence', () => {
  test.each<[unknown, string | undefined]>([
    [{ license: 'apache-2.0' }, 'apache-2.0'],
    [{ license: ['mit', 'apache-2.0'] }, 'mit, apache-2.0'],
    [{ license: 'other', license_name: 'my-licence' }, 'my-licence'],
    [{ license: 'other' }, 'other'],
    [{ license: 'two\nlines\u001b[2J' }, 'two lines [2J'],
    [{}, undefined],
    ['nonsense', undefined],
    [{ license: 7 }, undefined],
  ])('of a card with %j is %s', async (cardData, licence) => {
    const hub = await FakeHub.start({
      'org/model': { files: { 'config.json': config }, cardData },
    });
    const cacheFolder = await temporaryFolder();
    expect((await fetchFrom({ hub, cacheFolder })).licence).toBe(licence);
    expect((await fetchFrom({ hub, cacheFolder, isOffline: true })).licence).toBe(licence);
  });
});

describe('offline', () => {
  test('what was fetched is there, by branch and by commit; nobody is asked', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    const cacheFolder = await temporaryFolder();
    const online = await fetchFrom({ hub, cacheFolder });
    hub.stop();
    expect(await fetchFrom({ hub, cacheFolder, isOffline: true })).toEqual(online);
    expect(await fetchFrom({ hub, cacheFolder, isOffline: true, revision: commit })).toEqual(
      online,
    );
  });

  test('what was not fetched is named', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    const cacheFolder = await temporaryFolder();
    const offline = { hub, cacheFolder, isOffline: true };
    await expectRefusal(
      fetchFrom(offline),
      /^HF_HUB_OFFLINE is set, and org\/model at 'main' is not/,
    );
    await fetchFrom({ hub, cacheFolder, wanted: (name) => name === 'config.json' });
    await expectRefusal(
      fetchFrom(offline),
      /'model\.safetensors' of org\/model at 'main' is not in/,
    );
    expect(
      (await fetchFrom({ ...offline, wanted: (name) => name === 'config.json' })).files,
    ).toEqual(['config.json']);
    await expectRefusal(fetchFrom({ ...offline, revision: 'v2' }), /at 'v2' is not in/);
  });

  test('what another program fetched is taken as it is', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    const cacheFolder = await temporaryFolder();
    await fetchFrom({ hub, cacheFolder });
    await rm(join(cacheFolder, 'models--org--model/.cutline'), { recursive: true });
    const { files: names, licence } = await fetchFrom({ hub, cacheFolder, isOffline: true });
    expect(names).toEqual(['config.json', 'model.safetensors']);
    expect(licence).toBeUndefined();
    const none = fetchFrom({ hub, cacheFolder, isOffline: true, wanted: () => false });
    await expectRefusal(none, /is not in/);
  });
});
