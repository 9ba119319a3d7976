import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { folderUrl } from '../location.ts';
import {
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
} from '../object-store.ts';
import { isMissing, readError, requireFolder, writeError } from './folder-errors.ts';
import { pathOfKey } from './folder-key.ts';
import { etagOf, listFolder } from './folder-listing.ts';
import { removeFile, writeFileWhole } from './folder-write.ts';

/**
 * A folder as an object store. An object is a file, its key the path relative to the folder.
 * Like a bucket, the folder has to exist; the folders inside it are made as objects are put.
 */
export class FolderStore implements ObjectStore {
  readonly url: string;
  readonly #root: string;

  constructor(folder: string) {
    this.#root = resolve(folder);
    this.url = folderUrl(folder);
  }

  async *list(prefix = '', options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    await requireFolder(this.#root);
    yield* listFolder(this.#root, prefix, options);
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject> {
    options.signal?.throwIfAborted();
    if (key.endsWith('/')) throw unreadableFolder(key);
    const path = pathOfKey(this.#root, key);
    let file: FileHandle | undefined;
    try {
      // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
      file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      return await readWhole(file, key, options);
    } catch (error) {
      if (isMissing(error)) await requireFolder(this.#root);
      throw readError(error, key);
    } finally {
      await file?.close();
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    try {
      const stats = await stat(pathOfKey(this.#root, key, 'not-found'));
      return stats.isFile() ? { key, etag: etagOf(stats), bytes: stats.size } : undefined;
    } catch (error) {
      if (!isMissing(error) && !isNotFound(error)) throw readError(error, key);
      await requireFolder(this.#root);
      return undefined;
    }
  }

  /** `writeFileWhole` says how, and what becomes of conditions. */
  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<{ etag: string }> {
    const path = pathOfKey(this.#root, key, 'refused');
    await requireFolder(this.#root);
    try {
      return { etag: await writeFileWhole(path, bytes, options) };
    } catch (error) {
      throw writeError(error, path);
    }
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    const path = pathOfKey(this.#root, key);
    try {
      await removeFile(path, options);
    } catch (error) {
      if (!isMissing(error)) throw writeError(error, path);
      await requireFolder(this.#root);
    }
  }

  async check(): Promise<void> {
    await requireFolder(this.#root);
  }

  close(): void {}
}

/** As it was listed. */
function unreadableFolder(key: string): StoreError {
  return new StoreError(
    'access-denied',
    `The folder ${JSON.stringify(key)} may not be read, so nothing is known of what is in it: make it ` +
      'readable, or leave it out with --exclude.',
  );
}

function isNotFound(error: unknown): boolean {
  return error instanceof StoreError && error.reason === 'not-found';
}

/**
 * Reads as many bytes as the file had when it was opened. Should it be written to meanwhile, the
 * result would be of neither version, so that is `changed`, whether or not an ETag was given.
 */
async function readWhole(
  file: FileHandle,
  key: string,
  { bytesMax = Number.POSITIVE_INFINITY, etag, range, signal }: GetOptions,
): Promise<StoredObject> {
  const name = JSON.stringify(key);
  const before = await file.stat();
  if (!before.isFile()) throw new StoreError('not-found', `${name} is not a file.`);
  const found = etagOf(before);
  if (etag !== undefined && etag !== found) {
    throw new StoreError('changed', `The file ${name} was replaced: ${found}, not ${etag}.`);
  }
  const { start, end } = range ?? { start: 0, end: before.size };
  const length = Math.min(end, before.size) - start;
  if (length > bytesMax) {
    throw new StoreError(
      'too-large',
      `The file ${name} has ${length} bytes, the limit is ${bytesMax}.`,
    );
  }
  const bytes = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < bytes.length) {
    signal?.throwIfAborted();
    const wanted = Math.min(chunkBytes, bytes.length - read);
    const { bytesRead } = await file.read(bytes, read, wanted, start + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  if (read < bytes.length || etagOf(await file.stat()) !== found) {
    throw new StoreError('changed', `The file ${name} was written to while it was read.`);
  }
  return { bytes, etag: found };
}

/** Between two chunks, an abort is noticed. */
const chunkBytes = 4 * 1024 * 1024;
