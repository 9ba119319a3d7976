/**
 * The cache that Python's tools keep, of one repository:
 *
 *     models--<organisation>--<name>/
 *       refs/<revision>                     the commit it was when it was last asked for
 *       blobs/<etag>                        contents; <etag>.incomplete while they are fetched
 *       snapshots/<commit>/<file>           a link to ../../blobs/<etag>
 *       .cutline/<commit>.json              what the commit holds (ours)
 *
 * What others see appears whole or not at all: it is written beside, and renamed.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { z } from 'zod';
import type { Listing } from './listing.ts';
import type { PublishedFile } from './published-file.ts';
import { isCommit } from './repo-name.ts';

export class HubCache {
  readonly folder: string;
  readonly #locks: string;

  constructor(cacheFolder: string, repo: string) {
    const name = `models--${repo.replaceAll('/', '--')}`;
    this.folder = join(cacheFolder, name);
    this.#locks = join(cacheFolder, '.locks', name);
  }

  blobPath(etag: string): string {
    return join(this.folder, 'blobs', etag);
  }

  incompletePath(etag: string): string {
    return `${this.blobPath(etag)}.incomplete`;
  }

  lockPath(etag: string): string {
    return join(this.#locks, `${etag}.cutline`);
  }

  snapshotFolder(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  async prepare(commit: string): Promise<void> {
    for (const folder of [
      join(this.folder, 'blobs'),
      join(this.folder, '.cutline'),
      this.snapshotFolder(commit),
      this.#locks,
    ]) {
      await mkdir(folder, { recursive: true });
    }
  }

  /** The commit that a branch or tag was when it was last asked for. */
  async findCommit(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const commit = (await readIfThere(join(this.folder, 'refs', revision)))?.trim();
    return commit && isCommit(commit) ? commit : undefined;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (!isCommit(revision)) await this.#put(join(this.folder, 'refs', revision), commit);
  }

  /** Undefined when none was kept; whoever keeps a snapshot without one is another program. */
  async findListing(commit: string): Promise<Listing | undefined> {
    const text = await readIfThere(this.#listingPath(commit));
    try {
      const listing = listingSchema.parse(JSON.parse(text ?? ''));
      return listing.commit === commit ? listing : undefined;
    } catch {
      return undefined;
    }
  }

  async writeListing(listing: Listing): Promise<void> {
    await this.#put(this.#listingPath(listing.commit), `${JSON.stringify(listing)}\n`);
  }

  /** Whether a snapshot has a file: of that size, if one is given. */
  async has(commit: string, name: string, bytes?: number): Promise<boolean> {
    return isFileOf(join(this.snapshotFolder(commit), name), bytes);
  }

  async hasBlob({ etag, bytes }: PublishedFile): Promise<boolean> {
    return isFileOf(this.blobPath(etag), bytes);
  }

  /** Names of the files that a snapshot has, with slashes. */
  async names(commit: string): Promise<string[]> {
    const folder = this.snapshotFolder(commit);
    try {
      const names = await readdir(folder, { recursive: true });
      const isThere = await Promise.all(names.map((name) => isFileOf(join(folder, name))));
      return names.filter((_, i) => isThere[i]).map((name) => name.split(sep).join('/'));
    } catch {
      return [];
    }
  }

  /** Makes a blob part of a snapshot: as a link, or as a copy where there are no links. */
  async link(commit: string, { name, etag }: PublishedFile): Promise<void> {
    const path = join(this.snapshotFolder(commit), name);
    const beside = this.#beside();
    await mkdir(dirname(path), { recursive: true });
    try {
      await symlink(relative(dirname(path), this.blobPath(etag)), beside);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!code || !['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error;
      await copyFile(this.blobPath(etag), beside, constants.COPYFILE_FICLONE);
    }
    await rename(beside, path);
  }

  #listingPath(commit: string): string {
    return join(this.folder, '.cutline', `${commit}.json`);
  }

  #beside(): string {
    return join(this.folder, '.cutline', `${randomUUID()}.new`);
  }

  async #put(path: string, text: string): Promise<void> {
    const beside = this.#beside();
    await mkdir(dirname(path), { recursive: true });
    try {
      await writeFile(beside, text);
      await rename(beside, path);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
  }
}

const listingSchema = z.strictObject({
  commit: z.string(),
  licence: z.string().optional(),
  files: z.array(
    z.strictObject({
      name: z.string(),
      bytes: z.int().min(0).optional(),
      etag: z.string().optional(),
    }),
  ),
});

async function isFileOf(path: string, bytes?: number): Promise<boolean> {
  try {
    const found = await stat(path);
    return found.isFile() && (bytes === undefined || found.size === bytes);
  } catch {
    return false;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
