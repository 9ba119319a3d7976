/** Folders with the files of a checkpoint in them, gone after the test. */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-checkpoint-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** @param files contents by name; a text that starts with `fixture:` is a copy of that one. */
export async function folderWith(files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, contents] of Object.entries(files)) {
    const source = typeof contents === 'string' && /^fixture:(.*)$/.exec(contents)?.[1];
    if (source) await copyFile(fixture(source), join(folder, name));
    else await writeFile(join(folder, name), contents);
  }
  return folder;
}
