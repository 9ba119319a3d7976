import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { renewSidecars, withdrawSidecars, writeSidecars } from '@cutline/pipeline';
import {
  type Decision,
  type ExistingRule,
  Reviews,
  RunStore,
  readRunState,
} from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { beforeEach, expect, test } from 'vitest';
import { createRun } from '../../../test/support/finished-run.ts';
import {
  accepted,
  corrected,
  rejected,
  undone,
} from '../../shared/test/support/example-reviews.ts';
import { captionedRow } from '../../shared/test/support/example-run.ts';

/** What people decided, in the files beside images: among those of others, and without harm. */

const rows = ['a.jpg', 'b.jpg', 'c.jpg'].map((key) => captionedRow(key));
const kinds = ['txt', 'json', 'xmp'] as const;

let store: MemoryStore;
let run: RunStore;

beforeEach(async () => {
  store = new MemoryStore('s3://archive');
  run = await createRun(store, rows);
});

const write = (existing: ExistingRule = 'keep') =>
  // Before there was a part, as workers do.
  writeSidecars(
    {
      run: new RunStore(store, '', 'r1'),
      batch: 0,
      attempt: '7',
      prefix: '',
      kinds,
      rules: { existing, scoreMin: null },
    },
    rows,
  );

const renew = async (decisions: Decision[], existing: ExistingRule = 'keep') => {
  const reviews = new Reviews();
  for (const decision of decisions) reviews.add(decision);
  const rules = { existing, scoreMin: null };
  const state = await readRunState(run);
  return renewSidecars({ run, state, reviews }, { prefix: '', kinds, rules });
};

const files = async () => {
  const found: Record<string, string> = {};
  for await (const { key } of store.list()) {
    if (!key.startsWith('runs/')) found[key] = (await store.get(key)).bytes.toString();
  }
  return found;
};

test('a correction is renewed in all of them, and nothing else is touched', async () => {
  await write();
  const before = await files();
  const decision = corrected('a.jpg', 'two boats & a <pier>', 'Zoë');
  expect(await renew([decision])).toEqual({
    images: 1,
    written: 3,
    kept: 0,
    merged: 0,
    removed: 0,
    refused: 0,
  });
  const after = await files();
  expect(after['a.jpg.txt']).toBe('two boats & a <pier>\n');
  expect(JSON.parse(after['a.jpg.json'] ?? '')).toMatchObject({
    status: 'reviewed',
    decision: 'corrected',
    caption: 'two boats & a <pier>',
    who: 'Zoë',
    at: decision.at,
    row: rows[0],
  });
  for (const key of Object.keys(before).filter((each) => !each.startsWith('a.jpg'))) {
    expect(after[key], key).toBe(before[key]);
  }
  // Once more, and nothing changes.
  await renew([decision]);
  expect(await files()).toEqual(after);
  await withdrawSidecars(run);
  expect(await files()).toEqual({});
});

test('XMP says who wrote and who judged, as exiftool reads it', async () => {
  await write();
  await renew([corrected('a.jpg', 'two boats', 'Zoë'), accepted('b.jpg', 'ben')]);
  const after = await files();
  const read = async (key: string) => {
    const folder = await mkdtemp(join(tmpdir(), 'cutline-xmp-'));
    const path = join(folder, 'x.xmp');
    await writeFile(path, after[key] ?? '');
    const { stdout } = await promisify(execFile)('exiftool', ['-j', '-XMP:all', path]);
    await rm(folder, { recursive: true });
    return JSON.parse(stdout)[0];
  };
  expect(await read('a.jpg.xmp')).toMatchObject({
    Description: 'two boats',
    AltTextAccessibility: 'two boats',
    CaptionWriter: 'Zoë',
    Status: 'reviewed',
    Decision: 'corrected',
    ReviewedBy: 'Zoë',
  });
  expect(await read('a.jpg.xmp')).not.toHaveProperty('Model');
  expect(await read('b.jpg.xmp')).toMatchObject({
    Description: 'a b.jpg',
    CaptionWriter: 'Cutline, tiny',
    Decision: 'accepted',
    ReviewedBy: 'ben',
    Model: 'tiny@0123456789ab',
  });
});

test('a rejected caption is taken away, and comes back when that is taken back', async () => {
  await write();
  const before = await files();
  const decision = rejected('a.jpg');
  expect(await renew([decision])).toMatchObject({ images: 1, removed: 3 });
  expect(Object.keys(await files()).filter((key) => key.startsWith('a.jpg'))).toEqual([]);
  await renew([decision, undone(decision)]);
  expect(await files()).toEqual(before);
});

test('what a person wrote stays, and what was added to it says what was decided', async () => {
  const own = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>`;
  await store.put('a.jpg.xmp', Buffer.from(own));
  await store.put('a.jpg.txt', Buffer.from('my own words\n'));
  await write('merge');
  const decision = corrected('a.jpg', 'two boats');
  expect(await renew([decision], 'merge')).toMatchObject({ kept: 1 });
  const after = await files();
  expect(after['a.jpg.txt']).toBe('my own words\n');
  expect(after['a.jpg.xmp']).toContain('xmp:Rating="4"');
  expect(after['a.jpg.xmp']).toContain('two boats');
  expect(after['a.jpg.xmp']).not.toContain('a a.jpg');
  await renew([decision, rejected('a.jpg', 'ben', 5)], 'merge');
  expect((await files())['a.jpg.xmp']).toBe(own);
  expect((await files())['a.jpg.txt']).toBe('my own words\n');
});
