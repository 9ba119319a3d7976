import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
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
    try {
      await mkdir(folder, { recursive: true });
      for (let tries = 1; ; tries++) {
        if (await create(path, holder)) {
          ownTokens.add(holder.token);
          return new FileLock(path, holder.token);
        }
        const other = await readHolder(path);
        if ((other && isAlive(other)) || tries === triesMax) throw held(file, path, other);
        // Moved out of the way, and not removed: of two that do so, one finds it gone.
        const aside = `${path}.${holder.token}`;
        await rename(path, aside).catch(ignoreGone);
        await rm(aside, { force: true });
      }
    } catch (cause) {
      if (cause instanceof UserError) throw cause;
      throw new UserError(`${folder} cannot be written: ${describeError(cause)}.`, { cause });
    }
  }

  async release(): Promise<void> {
    ownTokens.delete(this.#token);
    const holder = await readHolder(this.#path);
    if (holder?.token !== this.#token) return; // somebody took it for left behind
    await rm(this.#path, { force: true });
    await rmdir(dirname(this.#path)).catch(() => {}); // where nothing came of it
  }
}

const triesMax = 4;

/** Of locks that this process holds. */
const ownTokens = new Set<string>();

/** @returns whether there was none */
async function create(path: string, holder: Holder): Promise<boolean> {
  const file = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined;
    throw error;
  });
  if (!file) return false;
  try {
    await file.writeFile(JSON.stringify(holder));
  } finally {
    await file.close();
  }
  return true;
}

/** undefined where there is none, or only a beginning of one. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
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

function held(file: string, path: string, other: Holder | undefined): UserError {
  if (!other) return new UserError(`${file} is being written by another "cutline caption".`);
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
