import { execFileSync } from 'node:child_process';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** What holds for folders only; the rest is in object-store-contract.test.ts. */
let parent: string;
let folder: string;
let store: ObjectStore;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'cutline-folder-'));
  folder = join(parent, 'photos');
  await mkdir(folder);
  store = await openStore(pathToFileURL(folder).href);
});
afterEach(() => rm(parent, { recursive: true }));

const listKeys = async (prefix?: string) => {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
};

describe('keys', () => {
  test.each([
    '..',
    '../secret',
    'a/../../secret',
    'a/../b',
    '/etc/passwd',
    './a',
    'a//b',
    'a/',
    'a\0b',
    '.',
  ])('refuses %j', async (key) => {
    await writeFile(join(parent, 'secret'), 'x');
    await mkdir(join(folder, 'a'));
    const refusal = { name: 'StoreError', reason: 'access-denied' };
    await expect(store.get(key)).rejects.toMatchObject(refusal);
    await expect(store.head(key)).rejects.toMatchObject(refusal);
    await expect(store.put(key, Buffer.from('y'))).rejects.toMatchObject(refusal);
    await expect(store.delete(key)).rejects.toMatchObject(refusal);
    expect((await readdir(parent)).sort()).toEqual(['photos', 'secret']);
  });

  test('the ETag is the size and the time of the last change', async () => {
    await writeFile(join(folder, 'a'), 'abc');
    await utimes(join(folder, 'a'), new Date(1_000), new Date(1_700_000_000_250));
    expect(await store.head('a')).toEqual({ key: 'a', bytes: 3, etag: '3-1700000000250' });
  });
});

describe('list', () => {
  test('leaves out hidden files and folders', async () => {
    await mkdir(join(folder, '.thumbnails'));
    await writeFile(join(folder, '.thumbnails', 'a.jpg'), 'x');
    await writeFile(join(folder, '.DS_Store'), 'x');
    await writeFile(join(folder, 'a.jpg'), 'x');
    expect(await listKeys()).toEqual(['a.jpg']);
  });

  test('follows symbolic links to files, and not to folders', async () => {
    await mkdir(join(parent, 'elsewhere'));
    await writeFile(join(parent, 'elsewhere', 'b.jpg'), 'four');
    await symlink(join(parent, 'elsewhere', 'b.jpg'), join(folder, 'link.jpg'));
    await symlink(join(parent, 'elsewhere'), join(folder, 'linked-folder'));
    await symlink(folder, join(folder, 'cycle'));
    await symlink(join(folder, 'nothing'), join(folder, 'broken.jpg'));
    await symlink(join(folder, 'self.jpg'), join(folder, 'self.jpg'));
    expect(await listKeys()).toEqual(['link.jpg']);
    expect((await store.get('link.jpg')).bytes.toString()).toBe('four');
    expect(await store.head('link.jpg')).toMatchObject({ bytes: 4 });
  });

  test('a root that is a symbolic link is followed', async () => {
    await writeFile(join(folder, 'a.jpg'), 'x');
    await symlink(folder, join(parent, 'link'));
    store = await openStore(pathToFileURL(join(parent, 'link')).href);
    expect(await listKeys()).toEqual(['a.jpg']);
  });

  test('does not wait on named pipes', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.jpg')]);
    expect(await listKeys()).toEqual([]);
    await expect(store.get('pipe.jpg')).rejects.toMatchObject({ reason: 'not-found' });
  });

  test('shows a file whose name is not UTF-8, which then fails with the reason', async () => {
    const name = Buffer.concat([
      Buffer.from(`${folder}/caf`),
      Buffer.from([0xe9]),
      Buffer.from('.jpg'),
    ]);
    await writeFile(name, 'x');
    const [key] = await listKeys();
    expect(key).toBe('caf\ufffd.jpg');
    await expect(store.get(key as string)).rejects.toMatchObject({
      reason: 'not-found',
      message: expect.stringContaining('not UTF-8'),
    });
  });

  test('goes on where a file or a folder is deleted meanwhile', async () => {
    for (const key of ['a/1', 'b/1', 'c/1']) await store.put(key, Buffer.from('x'));
    const keys: string[] = [];
    for await (const { key } of store.list()) {
      keys.push(key);
      await rm(join(folder, 'b'), { recursive: true, force: true });
    }
    expect(keys).toEqual(['a/1', 'c/1']);
  });

  test('fails where a folder may not be read', async () => {
    await store.put('closed/a.jpg', Buffer.from('x'));
    await chmod(join(folder, 'closed'), 0o000);
    await withoutPrivileges(() =>
      expect(listKeys()).rejects.toMatchObject({
        reason: 'misconfigured',
        message: expect.stringContaining(join(folder, 'closed')),
      }),
    );
    await chmod(join(folder, 'closed'), 0o700);
  });
});

describe('get', () => {
  test('says that a file may not be read', async () => {
    await store.put('a.jpg', Buffer.from('x'));
    await chmod(join(folder, 'a.jpg'), 0o000);
    await withoutPrivileges(() =>
      expect(store.get('a.jpg')).rejects.toMatchObject({
        reason: 'access-denied',
        message: expect.stringContaining('"a.jpg" may not be read'),
      }),
    );
  });

  test('says that the whole folder has gone', async () => {
    await store.put('a.jpg', Buffer.from('x'));
    await rm(folder, { recursive: true });
    await expect(store.get('a.jpg')).rejects.toMatchObject({ reason: 'misconfigured' });
    await expect(store.head('a.jpg')).rejects.toMatchObject({ reason: 'misconfigured' });
    await expect(store.delete('a.jpg')).rejects.toMatchObject({ reason: 'misconfigured' });
  });

  test('gives up in the middle of a file when it is aborted', async () => {
    await store.put('large', Buffer.alloc(64 * 1024 * 1024));
    const controller = new AbortController();
    const reading = store.get('large', { signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(reading).rejects.toThrow('enough');
  });
});

describe('put', () => {
  test('says that the folder may not be written to', async () => {
    await chmod(folder, 0o555);
    await withoutPrivileges(() =>
      expect(store.put('a.jpg', Buffer.from('x'))).rejects.toMatchObject({
        reason: 'misconfigured',
        message: expect.stringContaining('make its folder writable'),
      }),
    );
    await chmod(folder, 0o755);
  });

  test('leaves no temporary file, whether it succeeds or not', async () => {
    await store.put('a/b.jpg', Buffer.from('x'));
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({
      reason: 'misconfigured',
    });
    await expect(store.put('a/b.jpg/c', Buffer.from('x'))).rejects.toMatchObject({
      reason: 'misconfigured',
      message: expect.stringContaining('a file stands where a folder is needed'),
    });
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['a', 'a/b.jpg']);
  });

  test('replaces the file rather than writing into it', async () => {
    await store.put('a', Buffer.from('old'));
    await link(join(folder, 'a'), join(folder, 'b'));
    await store.put('a', Buffer.from('new'));
    expect((await store.get('b')).bytes.toString()).toBe('old');
  });
});

test('a store that is a file says so', async () => {
  await writeFile(join(parent, 'cat.jpg'), 'x');
  const file = await openStore(pathToFileURL(join(parent, 'cat.jpg')).href);
  await expect(file.check()).rejects.toMatchObject({
    reason: 'misconfigured',
    message: expect.stringContaining('is not a folder'),
  });
});

/** Root may read and write everything, so for root the check is made as somebody else. */
async function withoutPrivileges(check: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  await chmod(parent, 0o755);
  if (isRoot) process.seteuid?.(65_534); // nobody
  try {
    await check();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
