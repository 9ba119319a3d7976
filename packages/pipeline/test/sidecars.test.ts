import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withdrawSidecars, writeSidecars } from '@cutline/pipeline';
import {
  type CaptionedRow,
  countRows,
  type ExistingRule,
  type PartRow,
  partRowSchema,
  RunStore,
  type SidecarKind,
} from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';

/** Sidecars beside images, among files that others wrote. */

let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore('s3://archive');
});

const row = (more: Partial<CaptionedRow> = {}): CaptionedRow => ({
  key: 'photo.jpg',
  etag: 'abc-1',
  status: 'captioned',
  caption: 'a boat on a lake',
  logProb: -3,
  score: -0.5,
  candidates: [{ caption: 'a boat on a lake', logProb: -3, score: -0.5 }],
  width: 40,
  height: 30,
  model: 'blip-base@0123456789ab',
  ...more,
});

interface Options {
  existing?: ExistingRule;
  scoreMin?: number | null;
  kinds?: SidecarKind[];
  run?: string;
  attempt?: string;
}

const write = (rows: PartRow[], options: Options = {}) => {
  const { existing = 'keep', scoreMin = null, run = 'r1', attempt = '0' } = options;
  return writeSidecars(
    {
      run: new RunStore(store, '', run),
      batch: 0,
      attempt,
      prefix: '',
      kinds: options.kinds ?? ['txt', 'json', 'xmp'],
      rules: { existing, scoreMin },
    },
    rows,
  );
};

const read = async (key: string) => (await store.get(key)).bytes.toString();
const files = async () => {
  const found: Record<string, string> = {};
  for await (const { key } of store.list()) {
    if (!key.startsWith('runs/')) found[key] = await read(key);
  }
  return found;
};
const withdraw = (run = 'r1') => withdrawSidecars(new RunStore(store, '', run));

/** As Lightroom, digiKam and people write them. */
const ownXmp = `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dcterms="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmp:Rating="4">
   <dcterms:description><rdf:Alt><rdf:li xml:lang="x-default">Großmutter am See, 1953</rdf:li></rdf:Alt></dcterms:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>`;
const own = {
  'photo.jpg.txt': 'Grandmother at the lake\r\n',
  'photo.jpg.json': '{"caption":"Grandmother"}',
  'photo.jpg.xmp': ownXmp,
};
const putOwn = async () => {
  for (const [key, text] of Object.entries(own)) await store.put(key, Buffer.from(text));
};

describe('where nobody else wrote anything', () => {
  test('the caption, the row and the metadata stand beside the image', async () => {
    const [noted] = await write([row()]);
    expect(noted).toEqual(row());
    expect(await read('photo.jpg.txt')).toBe('a boat on a lake\n');
    expect(JSON.parse(await read('photo.jpg.json'))).toMatchObject({
      ...row(),
      cutline: { run: 'r1' },
    });
    expect(await read('photo.jpg.xmp')).toContain('photoshop:CaptionWriter="Cutline, blip-base"');
  });

  test('what the next run says takes their place, but of captions alone', async () => {
    await write([row()]);
    const [noted] = await write([row({ caption: 'a ship' })], { run: 'r2' });
    expect(JSON.parse(await read('photo.jpg.json')).caption).toBe('a ship');
    expect(await read('photo.jpg.xmp')).toContain('>a ship<');
    // Nothing in it says whose it is: "cutline withdraw r1" takes it away.
    expect(await read('photo.jpg.txt')).toBe('a boat on a lake\n');
    expect(noted).toMatchObject({ sidecars: { txt: 'kept' } });
  });

  test('the same attempt writes them any number of times', async () => {
    await write([row()]);
    const before = await files();
    await store.delete('photo.jpg.xmp'); // it died before that one was written
    expect(await write([row()])).toEqual([row()]);
    expect(await files()).toEqual(before);
  });

  test('captions that score too low get none, nor do those without a score', async () => {
    const rows = [row(), row({ key: 'b.jpg', score: -0.9 }), row({ key: 'c.jpg', score: null })];
    await write(rows, { scoreMin: -0.5 });
    expect(Object.keys(await files())).toEqual([
      'photo.jpg.json',
      'photo.jpg.txt',
      'photo.jpg.xmp',
    ]);
  });

  test('withdrawn, they are gone', async () => {
    await write([row(), row({ key: 'b.jpg' })]);
    await store.delete('b.jpg.txt');
    expect(await withdraw()).toMatchObject({ removed: 5, missing: 1, changedCount: 0 });
    expect(await files()).toEqual({});
    expect(await withdraw()).toMatchObject({ removed: 0, missing: 6 });
  });
});

describe('files of others', () => {
  beforeEach(putOwn);

  test('stay as they are, and are counted', async () => {
    const rows = await write([row(), row({ key: 'b.jpg' })]);
    expect(await files()).toMatchObject(own);
    expect(rows.map((each) => partRowSchema.parse(each))).toMatchObject([
      { sidecars: { txt: 'kept', json: 'kept', xmp: 'kept' } },
      {},
    ]);
    expect(rows[1]).not.toHaveProperty('sidecars');
    expect(countRows(rows).sidecars).toEqual({ kept: 3, merged: 0 });
    await withdraw();
    expect(await files()).toEqual(own);
  });

  test('stay, though one says just what Cutline would', async () => {
    await store.put('photo.jpg.txt', Buffer.from('a boat on a lake\n'));
    await write([row()], { kinds: ['txt'] });
    await withdraw();
    expect(await read('photo.jpg.txt')).toBe('a boat on a lake\n');
  });

  test('stay, though they come in the moment between look and write', async () => {
    await store.delete('photo.jpg.txt');
    const { head } = store;
    store.head = async (key) => {
      const found = await head.call(store, key);
      if (key === 'photo.jpg.txt') await store.put(key, Buffer.from('mine'));
      return found;
    };
    const [noted] = await write([row()], { kinds: ['txt'] });
    expect(await read('photo.jpg.txt')).toBe('mine');
    expect(noted).toMatchObject({ sidecars: { txt: 'kept' } });
    await withdraw();
    expect(await read('photo.jpg.txt')).toBe('mine');
  });

  test('that were Cutline’s until somebody edited them stay, too', async () => {
    for (const key of Object.keys(own)) await store.delete(key);
    await write([row()]);
    const edited: Record<string, string> = {};
    for (const [key, text] of Object.entries(await files())) {
      edited[key] = text.replace('a boat', 'grandmother’s boat');
      await store.put(key, Buffer.from(edited[key]));
    }
    await write([row({ caption: 'a ship' })], { run: 'r2' });
    expect(await files()).toEqual(edited);
    const { changed } = await withdraw();
    expect(changed.toSorted()).toEqual(Object.keys(edited));
    expect(await files()).toEqual(edited);
  });

  test('stay, though they come in the moment between a withdrawal’s look and its deed', async () => {
    for (const key of Object.keys(own)) await store.delete(key);
    await write([row()]);
    const { get } = store;
    store.get = async (key, options) => {
      const found = await get.call(store, key, options);
      if (key === 'photo.jpg.txt') await store.put(key, Buffer.from('mine'));
      return found;
    };
    const { removed, changed } = await withdraw();
    store.get = get;
    expect({ removed, changed }).toEqual({ removed: 2, changed: ['photo.jpg.txt'] });
    expect(await files()).toEqual({ 'photo.jpg.txt': 'mine' });
  });

  test('are replaced where that is asked for', async () => {
    await write([row()], { existing: 'replace' });
    expect(await read('photo.jpg.txt')).toBe('a boat on a lake\n');
    expect(await read('photo.jpg.xmp')).not.toContain('Großmutter');
  });
});

describe('merged', () => {
  beforeEach(putOwn);
  const merge = (more: Partial<CaptionedRow> = {}, run = 'r1') =>
    write([row(more)], { existing: 'merge', run });

  test('XMP has both voices, and every byte of the other', async () => {
    const [noted] = await merge();
    expect(noted).toMatchObject({ sidecars: { txt: 'kept', json: 'kept', xmp: 'merged' } });
    const merged = await read('photo.jpg.xmp');
    const [before, after] = ownXmp.split('</rdf:RDF>');
    expect(merged.startsWith(before!)).toBe(true);
    expect(merged.endsWith(`</rdf:RDF>${after}`)).toBe(true);
    expect(merged).toContain('cutline:caption="a boat on a lake"');
    expect(merged).not.toContain('<dc:description>');
    expect(merged).not.toContain('CaptionWriter');
    expect(merged).toContain('<Iptc4xmpCore:AltTextAccessibility>');
  });

  test('a second time, it has the latest of Cutline’s alone', async () => {
    await merge();
    await merge({ caption: 'a ship' }, 'r2');
    const merged = await read('photo.jpg.xmp');
    expect(merged).not.toContain('a boat on a lake');
    expect(merged.split('cutline:caption="a ship"')).toHaveLength(2);
    expect(await withdraw('r2')).toMatchObject({ restored: 1 });
    expect(await files()).toEqual(own);
  });

  test('and withdrawn, it is byte for byte as it was', async () => {
    await merge();
    await merge(); // the attempt again
    expect(await withdraw()).toMatchObject({ removed: 0, restored: 1, changedCount: 0 });
    expect(await files()).toEqual(own);
  });

  test('and edited elsewhere since, it keeps the edit when it is withdrawn', async () => {
    await merge();
    const edited = (await read('photo.jpg.xmp')).replace('Rating="4"', 'Rating="5"');
    await store.put('photo.jpg.xmp', Buffer.from(edited));
    await withdraw();
    expect(await read('photo.jpg.xmp')).toBe(ownXmp.replace('Rating="4"', 'Rating="5"'));
  });

  test.each([
    ['something else', 'these are notes'],
    ['cut off', ownXmp.slice(0, 300)],
    ['of two packets', `${ownXmp}\n${ownXmp}`],
    ['with a comment', ownXmp.replace('<x:xmpmeta', '<!-- </rdf:RDF> --><x:xmpmeta')],
    ['with another prefix', ownXmp.replaceAll('rdf:', 'r:')],
    ['of UTF-16', Buffer.from(ownXmp, 'utf16le')],
    ['of 5 MB', ownXmp + ' '.repeat(5 << 20)],
    ['edited where it was Cutline’s', ownXmp.replace('<rdf:D', '<!urn:cutline:ns/1.0/><rdf:D')],
  ])('what is %s is kept', async (_, content) => {
    const bytes = Buffer.from(content as string);
    await store.put('photo.jpg.xmp', bytes);
    const [noted] = await merge();
    expect(noted).toMatchObject({ sidecars: { xmp: 'kept' } });
    expect((await store.get('photo.jpg.xmp')).bytes.equals(bytes)).toBe(true);
  });
});

describe('read by exiftool', async () => {
  const run = promisify(execFile);
  const version = await run('exiftool', ['-ver']).catch(() => undefined);
  const markup = 'a "boat" <on> a & b\nlake\u2028 ]]> \u{1F6A3}';

  async function tagsOf(xmp: string): Promise<Record<string, unknown>> {
    const folder = await mkdtemp(join(tmpdir(), 'cutline-xmp-'));
    try {
      const path = join(folder, 'photo.jpg.xmp');
      await writeFile(path, xmp);
      const { stdout } = await run('exiftool', ['-j', '-G1', '-a', '-struct', path]);
      return JSON.parse(stdout)[0];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  test.skipIf(!version)(version ? 'all of it' : 'NOT TESTED: exiftool is not there', async () => {
    const { warnings, ...plain } = row({ altText: 'A boat.', keywords: ['boat', 'lake'] });
    await write([plain], { kinds: ['xmp'] });
    expect(await tagsOf(await read('photo.jpg.xmp'))).toMatchObject({
      'XMP-dc:Description': 'a boat on a lake',
      'XMP-iptcCore:AltTextAccessibility': 'A boat.',
      'XMP-dc:Subject': ['boat', 'lake'],
      'XMP-photoshop:CaptionWriter': 'Cutline, blip-base',
      'XMP-cutline:Model': 'blip-base@0123456789ab',
      'XMP-cutline:Run': 'r1',
      'XMP-cutline:Score': -0.5,
      'XMP-cutline:ImageETag': 'abc-1',
    });
  });

  test.skipIf(!version)('both voices', async () => {
    await putOwn();
    await write([row()], { kinds: ['xmp'], existing: 'merge' });
    expect(await tagsOf(await read('photo.jpg.xmp'))).toMatchObject({
      'XMP-dc:Description': 'Großmutter am See, 1953',
      'XMP-xmp:Rating': 4,
      'XMP-cutline:Caption': 'a boat on a lake',
      'XMP-iptcCore:AltTextAccessibility': 'a boat on a lake',
    });
  });

  test.skipIf(!version)('captions that would be markup, as text', async () => {
    await write([row({ caption: `\u0000\u0007${markup}` })], { kinds: ['xmp'] });
    const tags = await tagsOf(await read('photo.jpg.xmp'));
    expect(tags['XMP-dc:Description']).toBe(markup);
    expect(tags['XMP-cutline:Caption']).toBe(markup);
    expect(tags).not.toHaveProperty('ExifTool:Warning');
  });
});
