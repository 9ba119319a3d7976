import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describeError, UserError } from '@cutline/shared/errors';
import { z } from 'zod';
import { papersPath } from '../results/index.ts';

/**
 * Who writes a file of rows: one process at a time, or the work would be done twice. The lock is a
 * file among the papers of the rows, and says who holds it, so that one which a dead process has
 * left behind holds nobody up.
 */

/** With a dot in front, which listings of stores leave out. */
const lockName = '.lock';

const holderSchema = z.strictObject({
  token: z.string(),
  pid: z.int(),
  host: z.string(),
  /** When the process began, as its machine counts; empty where that cannot be known. */
  began: z.string(),
  since: z.iso.datetime(),
});
type Holder = z.infer<typeof holderSchema>;

export class FileLock {
  readonly #path: string;
  readonly #token: string;

  private constructor(path: string, token: string) {
    this.#path = path;
    this.#token = token;
  }

  /** @throws UserError where another process writes the file, or its papers cannot be written */
  static async take(file: string): Promise<FileLock> {
    const folder = papersPath(file);
    const path = join(folder, lockName);
    const holder: Holder = {
      ...{ token: randomUUID(), pid: process.pid, host: hostname() },
      ...{ began: beginning(process.pid), since: new Date().toISOString() },
    };
    ownTokens.add(holder.token);
    try {
      const other = await acquire(path, holder);
      if (other) throw held(file, path, other);
      return new FileLock(path, holder.token);
    } catch (cause) {
      ownTokens.delete(holder.token);
      if (cause instanceof UserError) throw cause;
      throw new UserError(`${folder} cannot be written: ${describeError(cause)}.`, { cause });
    }
  }

  async release(): Promise<void> {
    ownTokens.delete(this.#token);
    const holder = await readHolder(this.#path);
    if (nameOf(holder) !== this.#token) return; // somebody took it for left behind
    await rm(this.#path, { force: true });
    await rmdir(dirname(this.#path)).catch(() => {}); // where nothing came of it
  }
}

const triesMax = 50;
const pauseMs = 5;

/** Of locks that this process holds. */
const ownTokens = new Set<string>();

/** What a lock says; one may be gone, or have been damaged when a machine lost its power. */
type Found = Holder | 'gone' | 'damaged';

/** @returns who has it; undefined where `holder` has it from now on */
async function acquire(path: string, holder: Holder): Promise<Found | undefined> {
  for (let tries = 1; tries < triesMax; tries++) {
    try {
      if (await create(path, holder)) return undefined;
      const found = await readHolder(path);
      if (typeof found !== 'string' && isAlive(found)) return found;
      if (found !== 'gone') await removeLeft(path, found, holder);
    } catch (error) {
      ignoreGone(error as NodeJS.ErrnoException); // the folder, with the lock of whoever had it
    }
    await setTimeout(pauseMs);
  }
  return (await create(path, holder)) ? undefined : readHolder(path);
}

/**
 * With all that it says, or not at all: one that is only begun would look as if it were damaged.
 * @returns whether there was none
 */
async function create(path: string, holder: Holder): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true });
  const whole = `${path}.${holder.token}.new`;
  await writeFile(whole, JSON.stringify(holder));
  try {
    await link(whole, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code === 'ENOENT') throw error;
    return await createWithoutLink(path, holder);
  } finally {
    await rm(whole, { force: true });
  }
}

/** Of file systems that have none. */
async function createWithoutLink(path: string, holder: Holder): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify(holder), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a lock that a dead process has left behind. Of several that found it only one does, which
 * has the lock on removing just this one: the others could remove what is another's by then.
 */
async function removeLeft(path: string, found: Found, holder: Holder): Promise<void> {
  const turn = `${path}.${nameOf(found)}`;
  if (await acquire(turn, holder)) return;
  try {
    if (nameOf(await readHolder(path)) === nameOf(found)) await rm(path, { force: true });
  } finally {
    await rm(turn, { force: true });
  }
}

function nameOf(found: Found): string {
  return typeof found === 'string' ? found : found.token;
}

async function readHolder(path: string): Promise<Found> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'damaged';
  }
}

function isAlive({ token, pid, host, began }: Holder): boolean {
  if (host !== hostname()) return true; // which cannot be known from here
  if (pid === process.pid) return ownTokens.has(token); // or of one that had this number
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = beginning(pid);
  return began === '' || now === '' || began === now;
}

/** Numbers of processes are given again: when one began tells them apart. */
function beginning(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may have anything in it; starttime is the 22nd field.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function held(file: string, path: string, other: Found): UserError {
  if (typeof other === 'string')
    return new UserError(`${file} is being written by another "cutline caption".`);
  const { pid, host, since } = other;
  const isHere = host === hostname();
  const where = isHere ? '' : ` on ${host}`;
  const advice = isHere ? '' : `, or remove ${path} if that one is no more`;
  return new UserError(
    `${file} is being written by another "cutline caption" (process ${pid}${where}, since ` +
      `${since.slice(0, 16).replace('T', ' ')} UTC): let it end${advice}, or choose another file.`,
  );
}

function ignoreGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
