import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own for results, so small that it can be filled. */
export interface SmallDisk {
  readonly folder: string;
  /** Leaves no room for another byte. */
  fill(): Promise<void>;
  makeRoom(): Promise<void>;
  unmount(): Promise<void>;
}

const bytesMax = 8 * 1024 * 1024;

/** @throws where this user, or this container, may not mount one. */
export async function mountSmallDisk(): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-disk-'));
  try {
    const mount = ['-t', 'tmpfs', '-o', `size=${bytesMax}`, 'tmpfs', folder];
    execFileSync('mount', mount, { stdio: 'pipe' });
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
  const unmount = () => execFileSync('umount', ['-l', folder], { stdio: 'pipe' });
  process.once('exit', unmount);
  const filler = join(folder, '.filler');
  return {
    folder,
    async fill() {
      const file = await open(filler, 'a');
      try {
        for (;;) await file.write(Buffer.alloc(4096));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
    },
    makeRoom: () => rm(filler, { force: true }),
    async unmount() {
      process.off('exit', unmount);
      unmount();
      await rm(folder, { recursive: true });
    },
  };
}

/** Why this machine has no disk to fill; undefined where it has. */
export async function whyNoSmallDisk(): Promise<string | undefined> {
  try {
    await (await mountSmallDisk()).unmount();
    return undefined;
  } catch (error) {
    return (error as Error).message.split('\n').at(-1) || 'a tmpfs cannot be mounted';
  }
}
