import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { withdrawSidecars, writeSidecars } from '@cutline/pipeline';
import {
  type CaptionedRow,
  countRows,
  type ExistingRule,
  RunStore,
  type SidecarKind,
  sidecarKinds,
} from '@cutline/shared/run';
import {
  MemoryStore,
  type ObjectInfo,
  type ObjectStore,
  openStore,
  StoreError,
} from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** Sidecars of batches that are delivered again, or at once, while people write; and in folders. */

let store: ObjectStore;

const row = (caption = 'a boat'): CaptionedRow => ({
  key: 'p.jpg',
  etag: 'abc-1',
  status: 'captioned',
  caption,
  logProb: -3,
  score: -0.5,
  candidates: [{ caption, logProb: -3, score: -0.5 }],
  width: 40,
  height: 30,
  model: 'blip-base@0123456789ab',
});

interface Options {
  kinds?: readonly SidecarKind[];
  existing?: ExistingRule;
  attempt?: string;
}

const runStore = () => new RunStore(store, '', 'r1');
const write = (caption?: string, options: Options = {}) => {
  const { kinds = sidecarKinds, existing = 'keep', attempt = '0' } = options;
  return writeSidecars(
    {
      ...{ run: runStore(), batch: 0, attempt, prefix: '', kinds },
      rules: { existing, scoreMin: null },
    },
    [row(caption)],
  );
};
const withdraw = () => withdrawSidecars(runStore());
const read = async (key: string) => (await store.get(key)).bytes.toString();
const put = (key: string, text: string) => store.put(key, Buffer.from(text));
const left = async () => {
  const keys: string[] = [];
  for await (const { key } of store.list()) if (!key.startsWith('runs/')) keys.push(key);
  return keys;
};

const theirXmp =
  '<x:xmpmeta xmlns:x="adobe:ns:meta/">' +
  '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
  '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">' +
  '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Grandmother</rdf:li></rdf:Alt>' +
  '</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>\n';

describe('a batch that comes again', () => {
  beforeEach(() => {
    store = new MemoryStore('s3://archive');
  });

  test('under another attempt knows its own files, a bare caption too', async () => {
    await write();
    const rows = await write('a boat', { attempt: '1' });
    expect(countRows(rows).sidecars).toBeUndefined();
    await write('a ship', { attempt: '1ra' });
    expect(await read('p.jpg.txt')).toBe('a ship\n');
    expect(await withdraw()).toMatchObject({ removed: 3, changedCount: 0 });
  });

  test('with another caption, as servers give them, can be withdrawn whole', async () => {
    await write('a boat');
    await write('a ship');
    expect(await withdraw()).toMatchObject({ removed: 3, changedCount: 0, missing: 0 });
    expect(await left()).toEqual([]);
  });

  test('after its part was written does nothing, and says what the part says', async () => {
    await runStore().createPart(0, '0', await write('a boat'));
    await store.delete('p.jpg.txt'); // somebody does not want it
    expect(await write('a ship')).toEqual([row('a boat')]);
    expect(await read('p.jpg.xmp')).not.toContain('ship');
    expect(await left()).toEqual(['p.jpg.json', 'p.jpg.xmp']);
  });

  test('where somebody’s file was and is gone is recorded, too', async () => {
    await put('p.jpg.txt', 'mine');
    await write();
    await store.delete('p.jpg.txt');
    await write();
    await withdraw();
    expect(await left()).toEqual([]);
  });

  test('where somebody wrote in between merges into that, and takes it out again', async () => {
    await write('a boat', { kinds: ['xmp'], existing: 'merge' });
    await put('p.jpg.xmp', theirXmp);
    const [noted] = await write('a boat', { kinds: ['xmp'], existing: 'merge' });
    expect(noted).toMatchObject({ sidecars: { xmp: 'merged' } });
    expect(await read('p.jpg.xmp')).not.toBe(theirXmp);
    expect(await withdraw()).toMatchObject({ restored: 1, changedCount: 0 });
    expect(await read('p.jpg.xmp')).toBe(theirXmp);
  });

  test('leaves what it merged before as it is', async () => {
    await put('p.jpg.xmp', theirXmp);
    await write('a boat', { kinds: ['xmp'], existing: 'merge' });
    const before = await store.head('p.jpg.xmp');
    const [noted] = await write('a boat', { kinds: ['xmp'], existing: 'merge' });
    expect(noted).toMatchObject({ sidecars: { xmp: 'merged' } });
    expect(await store.head('p.jpg.xmp')).toEqual(before);
  });

  test('twice at once takes neither for somebody else', async () => {
    for (const rows of await Promise.all([write(), write(), write()])) {
      expect(countRows(rows).sidecars).toBeUndefined();
    }
    expect(await withdraw()).toMatchObject({ removed: 3, changedCount: 0, missing: 0 });
  });

  test('at once, and sleeps between its looks, takes the other’s files for no one else’s', async () => {
    const { list } = store;
    let isOther = true;
    store.list = async function* (...args) {
      const before: ObjectInfo[] = [];
      for await (const each of list.apply(store, args)) before.push(each);
      if (isOther) {
        isOther = false;
        await write('a ship'); // by a server's model, which says something else
      }
      yield* before;
    };
    const rows = await write('a boat');
    expect(countRows(rows).sidecars).toBeUndefined();
    expect(await withdraw()).toMatchObject({ removed: 3, changedCount: 0 });
  });

  test('leaves a file to those who write to it again and again', async () => {
    await put('p.jpg.xmp', theirXmp);
    const { get } = store;
    let edits = 0;
    store.get = async (key, options) => {
      const found = await get.call(store, key, options);
      edits += 1;
      if (key === 'p.jpg.xmp') await put(key, theirXmp.replace('Grandmother', `Edit ${edits}`));
      return found;
    };
    const [noted] = await write('a boat', { kinds: ['xmp'], existing: 'merge' });
    store.get = get;
    expect(noted).toMatchObject({ sidecars: { xmp: 'kept' } });
    expect(await read('p.jpg.xmp')).toBe(theirXmp.replace('Grandmother', `Edit ${edits}`));
  });
});

describe('a file that cannot be read', () => {
  beforeEach(async () => {
    store = new MemoryStore('s3://archive');
    await put('p.jpg.txt', 'mine');
  });

  test.each(['access-denied', 'too-large'] as const)(
    '(%s) stays, and stops nothing; replaced only where that is asked for',
    async (reason) => {
      const { get } = store;
      store.get = async (key, options) => {
        if (key === 'p.jpg.txt') throw new StoreError(reason, 'It cannot be read.');
        return get.call(store, key, options);
      };
      const [noted] = await write('a boat', { kinds: ['txt'] });
      expect(noted).toMatchObject({ sidecars: { txt: 'kept' } });
      await write('a boat', { kinds: ['txt'], existing: 'replace', attempt: '1' });
      store.get = get;
      expect(await read('p.jpg.txt')).toBe('a boat\n');
    },
  );
});

test('of a file with many prefixes for one name, nothing is said again', async () => {
  store = new MemoryStore('s3://archive');
  const dc = 'http://purl.org/dc/elements/1.1/';
  const declared = Array.from({ length: 9 }, (_, i) => `xmlns:p${i}="${dc}"`).join(' ');
  const theirs = theirXmp.replace(`xmlns:dc="${dc}"`, declared);
  await put('p.jpg.xmp', theirs.replace(/<dc:description>.*<\/dc:description>/, ''));
  await write('a boat', { kinds: ['xmp'], existing: 'merge' });
  expect(await read('p.jpg.xmp')).toContain('cutline:caption="a boat"');
  expect(await read('p.jpg.xmp')).not.toContain('<dc:description>');
});

describe('in a folder', async () => {
  const exiftool = (args: string[]) => promisify(execFile)('exiftool', args);
  const version = await exiftool(['-ver']).catch(() => undefined);
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-sidecars-'));
    await writeFile(join(folder, 'p.jpg.txt'), 'Grandmother\r\n');
    await writeFile(join(folder, 'p.jpg.xmp'), theirXmp);
    await chmod(join(folder, 'p.jpg.xmp'), 0o640);
    if (process.getuid?.() === 0) await chown(join(folder, 'p.jpg.xmp'), 12_345, 12_345);
    store = await openStore(pathToFileURL(folder).href);
  });
  afterEach(async () => {
    store.close();
    await rm(folder, { recursive: true });
  });

  const files = async () => {
    const names = (await readdir(folder)).filter((name) => name !== 'runs');
    return Promise.all(
      names.sort().map(async (name) => {
        const path = join(folder, name);
        const { mode, uid, gid } = await stat(path);
        return { name, mode, uid, gid, text: await readFile(path, 'utf8') };
      }),
    );
  };

  test('an image whose key no file can have has a warning', async () => {
    const odd = { ...row(), key: 'a//p.jpg' };
    const request = { run: runStore(), batch: 0, attempt: '0', prefix: '' };
    const rules = { existing: 'keep', scoreMin: null } as const;
    const [noted] = await writeSidecars({ ...request, kinds: ['txt'], rules }, [odd]);
    expect(noted).toEqual({
      ...odd,
      warnings: [expect.stringMatching(/^no \.txt sidecar: .*a\/\//)],
    });
  });

  test.each(['keep', 'merge'] as const)(
    '%s: everything is as it was once it is withdrawn',
    async (existing) => {
      const before = await files();
      await write('a boat', { existing });
      await write('a boat', { existing, attempt: '1' });
      const after = await files();
      expect(after.map(({ name }) => name)).toEqual(['p.jpg.json', 'p.jpg.txt', 'p.jpg.xmp']);
      const isSame = after.find(({ name }) => name === 'p.jpg.xmp')?.text === theirXmp;
      expect(isSame).toBe(existing === 'keep');
      expect(after.find(({ name }) => name === 'p.jpg.txt')?.text).toBe('Grandmother\r\n');
      await withdraw();
      expect(await files()).toEqual(before);
    },
  );

  test.skipIf(!version)(
    version ? 'what exiftool wrote anew stays, and is named' : 'NOT TESTED: exiftool is not there',
    async () => {
      await write('a boat', { existing: 'merge' });
      const path = join(folder, 'p.jpg.xmp');
      await exiftool(['-q', '-overwrite_original', '-XMP-dc:Title=The lake', path]);
      const edited = await readFile(path, 'utf8');
      expect(await withdraw()).toMatchObject({ restored: 0, changed: ['p.jpg.xmp'] });
      await write('a ship', { existing: 'merge', attempt: '1' });
      expect(await readFile(path, 'utf8')).toBe(edited);
    },
  );
});
