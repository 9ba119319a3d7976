import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, readText } from '@cutline/checkpoints/files';
import { UserError } from '@cutline/shared/errors';
import { expect, test } from 'vitest';
import { folderWith } from './support/checkpoint-folder.ts';

test('a configuration is read as it is', async () => {
  const folder = await folderWith({ 'config.json': '\ufeff{"model_type": "blip"}' });
  expect(await readJson(join(folder, 'config.json'))).toEqual({ model_type: 'blip' });
  expect(await readText(join(folder, 'config.json'))).toBe('{"model_type": "blip"}');
});

test.each<[string, string | Uint8Array, RegExp]>([
  ['cut off', '{"model_type": "bl', /config\.json is not JSON: /],
  ['of several lines that are wrong', '{\n"a": 1,\n"b": x\n}', /is not JSON: .*\.$/],
  ['in another encoding', Buffer.from('{"a": "\xe9"}', 'latin1'), /is not text in UTF-8/],
  ['too large', `"${'x'.repeat(1000)}"`, /has 1002 bytes, and may have 1000 at most/],
])('one that is %s is refused in one line', async (_, contents, message) => {
  const folder = await folderWith({ 'config.json': contents });
  const path = join(folder, 'config.json');
  const error = await readJson(path, { bytesMax: 1000 }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain('\n');
});

test('one of gigabytes is not read, and a missing one is said to be missing', async () => {
  const folder = await folderWith({ 'config.json': '{}' });
  await truncate(join(folder, 'config.json'), 5_000_000_000); // takes no space
  await expect(readJson(join(folder, 'config.json'))).rejects.toThrow(/may have 33554432 at most/);
  await expect(readJson(join(folder, 'none.json'))).rejects.toThrow(
    /none\.json cannot be read: ENOENT/,
  );
});
