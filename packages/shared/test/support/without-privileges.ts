import { chmod } from 'node:fs/promises';

/**
 * Root may read and write everything, so for root the check is made as somebody else.
 *
 * @param folder that somebody else has to get into: made by mkdtemp, only its owner does
 */
export async function withoutPrivileges(folder: string, check: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  await chmod(folder, 0o755);
  if (isRoot) process.seteuid?.(65_534); // nobody
  try {
    await check();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
