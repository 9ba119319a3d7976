import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StorePool } from '@cutline/shared/stores';
import { expect, test } from 'vitest';

test('a store that was deleted after its run counts until nobody asks for it any more', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-pool-'));
  let nowMs = 1_000_000;
  const pool = new StorePool({}, () => nowMs);
  const store = await pool.open(pathToFileURL(folder).href);
  expect(await pool.open(pathToFileURL(folder).href)).toBe(store);
  await pool.check();
  await rm(folder, { recursive: true });
  await expect(pool.check()).rejects.toThrow(folder);
  nowMs += 20 * 60_000;
  await pool.check();
  await pool.close();
});
