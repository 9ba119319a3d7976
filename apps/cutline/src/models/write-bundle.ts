import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeError, UserError } from '@cutline/shared/errors';

/** What is no bundle is not written over. @throws UserError */
export async function requireReplaceable(folder: string): Promise<void> {
  const exists = await stat(folder).catch(() => undefined);
  if (!exists) return;
  const isBundle = await stat(join(folder, 'model.json')).catch(() => undefined);
  if (!isBundle) {
    throw new UserError(
      `${folder} is there already, and is no model bundle: choose another place.`,
    );
  }
}

/** Puts a bundle in its place when it is whole; what was there is gone. @throws UserError */
export async function writeBundle(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const draft = `${folder}.${randomUUID()}`;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await mkdir(draft);
    for (const [name, bytes] of files) await writeFile(join(draft, name), bytes);
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    throw new UserError(`The bundle cannot be written to ${folder}: ${describeError(cause)}.`, {
      cause,
    });
  }
}
