import { randomBytes } from 'node:crypto';
import { createWriteStream, rmSync } from 'node:fs';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '@cutline/shared/errors';

/**
 * Writes a file whole or not at all: it appears, or is replaced, when it is complete, and nothing
 * is left where the process is interrupted. The chunks are taken as fast as the disk takes them. What is no file (a pipe, a device) is written to as it
 * is; a link stays one.
 *
 * @throws UserError where the disk is full, or the like; and whatever `chunks` throws
 */
export async function writeWhole(
  file: string,
  chunks: AsyncIterable<string | Uint8Array>,
): Promise<void> {
  const path = await realpath(file).catch(() => file);
  const found = await stat(path).catch(() => undefined);
  const source = Readable.from(chunks, { objectMode: false });
  if (found && !found.isFile()) {
    await pipeline(source, createWriteStream(path)).catch(explain(file));
    return;
  }
  const unfinished = `${path}.${randomBytes(4).toString('hex')}.unfinished`;
  const interrupt = (signal: NodeJS.Signals) => {
    rmSync(unfinished, { force: true });
    process.kill(process.pid, signal); // which ends it, now that nobody handles it any more
  };
  for (const signal of signals) process.once(signal, interrupt);
  try {
    const mode = found ? found.mode & 0o777 : undefined;
    await pipeline(source, createWriteStream(unfinished, { flags: 'wx', ...(mode && { mode }) }));
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    explain(file)(error);
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

const signals = ['SIGINT', 'SIGTERM'] as const;

/** What the file system refuses is for a person to put right. */
function explain(file: string): (error: unknown) => never {
  return (error) => {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (!['open', 'write', 'close', 'rename'].includes(syscall ?? '')) throw error;
    throw new UserError(`${file} could not be written (${code}).`, { cause: error });
  };
}
