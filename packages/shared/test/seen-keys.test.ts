import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom } from '@cutline/captioner';
import { FirstPlaces, SeenKeys } from '@cutline/shared/listing';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-seen-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.each([
  ['fit into memory', 20],
  ['fill many tables', 8],
  ['fill tables of a few places each, whose searches go round their ends', 3],
])('keys that %s are told from those that were there before', async (_, bitsMax) => {
  const seen = new SeenKeys({ folder, bitsMax });
  const random = createRandom(1);
  const truth = new Set<string>();
  for (let n = 0; n < 5_000; n++) {
    const key = `${Math.floor(4_000 * random())}.jpg`;
    expect(seen.add(key)).toBe(truth.has(key));
    truth.add(key);
  }
  // A process that is killed now leaves nothing behind.
  if (process.platform !== 'win32') expect(await readdir(folder)).toEqual([]);
  seen.close();
  expect(await readdir(folder)).toEqual([]);
});

test('of texts that fill many tables it is known where each was first', () => {
  const first = new FirstPlaces({ folder, bitsMax: 6 });
  const random = createRandom(2);
  const truth = new Map<string, number>();
  for (let n = 0; n < 5_000; n++) {
    const text = `${Math.floor(3_000 * random())} etag`;
    expect(first.firstOf(text, n)).toBe(truth.get(text));
    if (!truth.has(text)) truth.set(text, n);
  }
  first.close();
});

test('where the temporary file cannot be, it says what to do', async () => {
  const seen = new SeenKeys({ folder: join(folder, 'none'), bitsMax: 3 });
  const fill = () => {
    for (let n = 0; n < 9; n++) seen.add(`${n}`);
  };
  expect(fill).toThrow(/Cannot keep in .*none what was listed before.*TMPDIR/);
  seen.close();
});
