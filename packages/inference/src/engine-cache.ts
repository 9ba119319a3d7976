import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineCache } from '@cutline/captioner';
import { cacheFolder } from './cache-folder.ts';

/**
 * Where engines keep models as they have optimised them, from one start to the next: folders in a
 * folder of the user's, which all processes share. Names say what is in them, so they never have to
 * be renewed; what nobody asked for in a month is removed.
 */

const unusedMsMax = 30 * 24 * 3600 * 1000;

/** A folder that cannot be written to is a cache that keeps nothing. */
export function openEngineCache(folder = cacheFolder()): EngineCache {
  return {
    async find(name) {
      const path = join(folder, name);
      const stats = await stat(path).catch(() => undefined);
      if (!stats?.isDirectory()) return undefined;
      const now = new Date();
      await utimes(path, now, now).catch(() => {}); // another user's, perhaps: readable is enough
      return path;
    },

    async add(name, fill) {
      const path = join(folder, name);
      // Filled beside its place and moved there: no process ever finds half of it.
      const draft = `${path}.${randomUUID()}`;
      try {
        await mkdir(draft, { recursive: true });
        await fill(draft);
        await rm(path, { recursive: true, force: true });
        await rename(draft, path);
        await removeUnused(folder);
        return path;
      } catch {
        await rm(draft, { recursive: true, force: true }).catch(() => {});
        return undefined;
      }
    },
  };
}

/** Others' folders are left alone: models that were added lie beside (model-shelf.ts). */
async function removeUnused(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.includes('.onnx')) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > unusedMsMax) await rm(path, { recursive: true, force: true });
  }
}
