import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FileBucket } from '../scripts/file-bucket.mjs';
import { startS3Server } from '../scripts/s3-server.mjs';
import { s3Access } from './support/s3-server.ts';

/** The demo's buckets: a folder of the user's, which is read alone, and one that is written to. */

let folder: string;
let server: Awaited<ReturnType<typeof startS3Server>>;
let photos: ObjectStore;
let captions: ObjectStore;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-bucket-'));
  const archive = new FileBucket();
  for (const name of ['stays.jpg', 'changes.jpg', 'goes.jpg']) {
    await writeFile(join(folder, name), name);
    archive.addFile(name, join(folder, name));
  }
  await mkdir(join(folder, 'output'));
  server = await startS3Server();
  server.createBucket('archive', archive);
  server.createBucket('captions', new FileBucket(join(folder, 'output')));
  const { config } = s3Access(server.endpoint);
  [photos, captions] = await Promise.all([
    openStore('s3://archive', config),
    openStore('s3://captions', config),
  ]);
});
afterAll(async () => {
  photos?.close();
  captions?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('files are served where they lie, and never written to', async () => {
  const { bytes, etag } = await photos.get('stays.jpg');
  expect(bytes.toString()).toBe('stays.jpg');
  expect(await photos.head('stays.jpg')).toEqual({ key: 'stays.jpg', bytes: 9, etag });
  await expect(photos.put('stays.jpg', Buffer.from('other'))).rejects.toThrow(/denied/);
  await expect(photos.delete('stays.jpg')).rejects.toThrow(/denied/);
  expect(await readFile(join(folder, 'stays.jpg'), 'utf8')).toBe('stays.jpg');
});

test('what becomes of files meanwhile is seen', async () => {
  const { etag } = await photos.get('changes.jpg');
  await appendFile(join(folder, 'changes.jpg'), ', grown');
  await expect(photos.get('changes.jpg', { etag })).rejects.toMatchObject({ reason: 'changed' });
  expect((await photos.get('changes.jpg')).bytes.toString()).toBe('changes.jpg, grown');
  await rm(join(folder, 'goes.jpg'));
  await expect(photos.get('goes.jpg')).rejects.toMatchObject({ reason: 'not-found' });
});

test('what is put is a file at once, and its conditions hold', async () => {
  const path = join(folder, 'output/runs/demo/part.jsonl');
  const { etag } = await captions.put('runs/demo/part.jsonl', Buffer.from('first'));
  expect(await readFile(path, 'utf8')).toBe('first');
  await expect(
    captions.put('runs/demo/part.jsonl', Buffer.from('again'), { ifAbsent: true }),
  ).rejects.toMatchObject({ reason: 'exists' });
  expect(await captions.get('runs/demo/part.jsonl')).toEqual({ bytes: Buffer.from('first'), etag });
  await captions.delete('runs/demo/part.jsonl');
  await expect(readFile(path)).rejects.toThrow(/ENOENT/);
  expect(await captions.head('runs/demo/part.jsonl')).toBeUndefined();
});

test('a key that leaves the folder is refused', async () => {
  expect(() => new FileBucket(folder).set('../out', object('../out'))).toThrow(/leaves the folder/);
});

const object = (key: string) => ({
  ...{ key, body: Buffer.alloc(1), contentType: 'text/plain', contentLength: 1 },
  ...{ etag: '"1"', lastModified: new Date(), metadata: {} },
});
