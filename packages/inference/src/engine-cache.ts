import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineCache } from '@cutline/captioner';
import { cacheFolder } from './cache-folder.ts';

/**
 * Where engines keep models as they have optimised them, from one start to the next: a folder of
 * the user's, and of all processes. Names say what is in a file, so it never has to be renewed;
 * what nobody asked for in a month is removed.
 */

const unusedMsMax = 30 * 24 * 3600 * 1000;

/** A folder that cannot be written to is a cache that keeps nothing. */
export function openEngineCache(folder = cacheFolder()): EngineCache {
  return {
    async find(name) {
      const path = join(folder, name);
      try {
        await access(path);
      } catch {
        return undefined;
      }
      const now = new Date();
      await utimes(path, now, now).catch(() => {}); // another user's, perhaps: readable is enough
      return path;
    },

    async add(name, write) {
      const path = join(folder, name);
      // Written beside its place and moved there: no process ever finds half a file.
      const draft = `${path}.${randomUUID()}`;
      try {
        await mkdir(folder, { recursive: true });
        await write(draft);
        await rename(draft, path);
        await removeUnused(folder);
        return path;
      } catch {
        await rm(draft, { force: true }).catch(() => {});
        return undefined;
      }
    },
  };
}

async function removeUnused(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const stats = await stat(path);
    if (stats.isFile() && Date.now() - stats.mtimeMs > unusedMsMax) await rm(path, { force: true });
  }
}
