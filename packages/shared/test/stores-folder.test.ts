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
import { writeFileWhole } from '../dist/stores/folder/folder-write.js';
import { withoutPrivileges } from './support/without-privileges.ts';

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
    expect(await store.head(key)).toBeUndefined();
    await expect(store.put(key, Buffer.from('y'))).rejects.toMatchObject({ reason: 'refused' });
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
    await withoutPrivileges(parent, () =>
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
    await withoutPrivileges(parent, () =>
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
    await withoutPrivileges(parent, () =>
      expect(store.put('a.jpg', Buffer.from('x'))).rejects.toMatchObject({
        reason: 'misconfigured',
        message: expect.stringContaining('make its folder writable'),
      }),
    );
    await chmod(folder, 0o755);
  });

  test('leaves no temporary file, whether it succeeds or not', async () => {
    await store.put('a/b.jpg', Buffer.from('x'));
    const clash = {
      reason: 'refused',
      message: expect.stringContaining('a file stands where a folder is needed'),
    };
    for (const condition of [{}, { ifAbsent: true }, { ifMatch: '1-2' }] as const) {
      for (const key of ['a', 'a/b.jpg/c', 'a/b.jpg/c/d']) {
        const attempt = store.put(key, Buffer.from('x'), condition);
        if ('ifMatch' in condition && key === 'a') {
          await expect(attempt).rejects.toMatchObject({ reason: 'exists' });
        } else await expect(attempt, key).rejects.toMatchObject(clash);
      }
    }
    const taken = store.put('a/b.jpg', Buffer.from('x'), { ifAbsent: true });
    await expect(taken).rejects.toMatchObject({ reason: 'exists' });
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['a', 'a/b.jpg']);
  });

  test('takes names as long as the file system does, and refuses longer ones', async () => {
    for (const length of [253, 255]) {
      const key = `a/${'n'.repeat(length)}`;
      await store.put(key, Buffer.from('x'));
      await store.put(`${key.replace('a/', 'b/')}`, Buffer.from('x'), { ifAbsent: true });
    }
    for (const key of [
      'n'.repeat(256),
      `${'n'.repeat(256)}/a`,
      'long/'.repeat(900),
      'a\ud800.jpg',
    ]) {
      await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject({ reason: 'refused' });
    }
  });

  test('gives a new file a later time than the one it replaces had', async () => {
    await store.put('a', Buffer.from('old'));
    await utimes(join(folder, 'a'), new Date(), new Date(Date.now() + 3_600_000));
    const before = (await store.head('a'))?.etag;
    const { etag } = await store.put('a', Buffer.from('new'));
    expect(Number(etag.split('-')[1])).toBeGreaterThan(Number(before?.split('-')[1]));
    expect((await store.head('a'))?.etag).toBe(etag);
  });

  test.each(['EPERM', 'ENOTSUP', 'EMLINK'])(
    'ifAbsent where links are refused with %s: made exclusively, then renamed',
    async (code) => {
      const noLinks = () => Promise.reject(Object.assign(new Error(code), { code }));
      const write = (text: string) =>
        writeFileWhole(join(folder, 'a'), Buffer.from(text), { ifAbsent: true }, noLinks);
      const outcomes = await Promise.allSettled([write('one'), write('two'), write('three')]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
      await expect(write('four')).rejects.toMatchObject({ reason: 'exists' });
      expect((await store.get('a')).bytes.toString()).toBe('one');
      expect(await readdir(folder)).toEqual(['a']);
    },
  );

  test('ifAbsent between processes: the file system decides', async () => {
    // What another process does between the look at the file and the link.
    const linkAfterOther: typeof link = async (...args) => {
      await writeFile(join(folder, 'a'), 'theirs');
      return link(...args);
    };
    const ours = writeFileWhole(
      join(folder, 'a'),
      Buffer.from('ours'),
      { ifAbsent: true },
      linkAfterOther,
    );
    await expect(ours).rejects.toMatchObject({ reason: 'exists' });
    expect((await store.get('a')).bytes.toString()).toBe('theirs');
    expect(await readdir(folder)).toEqual(['a']);
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
