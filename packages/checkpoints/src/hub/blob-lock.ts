/**
 * Who fetches a blob: one process at a time, the others wait for it to be there. A file says who;
 * one of a process that is gone, or that has not touched it for a minute, says nothing any more.
 *
 * It saves fetching twice, and no more depends on it: two who hold it nevertheless (a process that
 * slept for an hour) write the same bytes to the same places, and the result is checked.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';

const staleMs = 60_000;
const touchMs = 10_000;

const ownerSchema = z.object({ host: z.string(), pid: z.int().min(1), id: z.string() });

/** Those of this process: a container's processes may all have had the same number. */
const held = new Set<string>();

/** To be given back. */
export interface BlobLock {
  release(): Promise<void>;
}

/** Undefined when another has it. */
export async function tryLock(path: string): Promise<BlobLock | undefined> {
  const id = randomUUID();
  const owner = JSON.stringify({ host: hostname(), pid: process.pid, id });
  held.add(id);
  if (!(await create(path, owner))) {
    await removeIfStale(path);
    if (!(await create(path, owner))) {
      held.delete(id);
      return undefined;
    }
  }
  const timer = setInterval(
    () => void utimes(path, new Date(), new Date()).catch(() => {}),
    touchMs,
  );
  timer.unref();
  return {
    async release() {
      clearInterval(timer);
      held.delete(id);
      if ((await read(path)) === owner) await rm(path, { force: true });
    },
  };
}

async function create(path: string, owner: string): Promise<boolean> {
  try {
    await writeFile(path, owner, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function removeIfStale(path: string): Promise<void> {
  const owner = await read(path);
  if (owner === undefined || !(await isStale(path, owner))) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    // Another may have found it stale first, and this be its own new one: it is put back.
    if ((await read(aside)) !== owner) await link(aside, path);
  } catch {
    // Gone, or there again: whoever comes next looks at what is there then.
  } finally {
    await rm(aside, { force: true });
  }
}

async function isStale(path: string, owner: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > staleMs) return true;
    const { host, pid, id } = ownerSchema.parse(JSON.parse(owner));
    return host === hostname() && (pid === process.pid ? !held.has(id) : !isRunning(pid));
  } catch {
    return false; // gone, or not written to its end
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
