import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { describeError, UserError } from '../../errors.ts';
import { redactUrl } from '../../process/redact-url.ts';
import { parseObjectLocation } from '../../stores/location.ts';
import { type ObjectStore, StoreError } from '../../stores/object-store.ts';
import { StorePool } from '../../stores/store-pool.ts';
import { type ListFile, objectFile, openFile, piecesOf } from './list-file.ts';

/** Opens stores with the settings of the program. */
export type Stores = Pick<StorePool, 'open'>;

/** A list as bytes, whatever it is a list of. */
export interface OpenList {
  /** For messages. */
  readonly name: string;
  /** From its beginning to its end; to be read once. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** The same, to be read in any order; undefined where it comes through a pipe. */
  readonly file: ListFile | undefined;
  close(): Promise<void>;
}

/**
 * Opens a list; nothing of it is read.
 *
 * @param from a path, an s3:// URL, or `-` for stdin
 * @throws UserError where it is not there
 */
export async function openList(
  from: string,
  source: ObjectStore,
  stores: Stores | undefined,
): Promise<OpenList> {
  if (from === '-') return openPipe('stdin', process.stdin);
  try {
    if (isS3(from)) return await openObject(from, source, stores);
    const found = await stat(from);
    if (found.isDirectory()) throw new Error('it is a folder');
    if (!found.isFile()) return openPipe(from, createReadStream(from));
    return seekable(from, await openFile(from));
  } catch (error) {
    throw cannotRead(from, error);
  }
}

export function cannotRead(name: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const reason = missing ? 'there is no such file' : describeError(error);
  return new UserError(`The list of keys ${shown(name)} cannot be read: ${reason}.`, {
    cause: error,
  });
}

function isS3(from: string): boolean {
  return /^s3:\/\//i.test(from);
}

function seekable(name: string, file: ListFile, close = () => file.close()): OpenList {
  return { name: shown(name), pieces: piecesOf(file), file, close };
}

function openPipe(name: string, pieces: AsyncIterable<Uint8Array>): OpenList {
  return { name, pieces, file: undefined, close: async () => {} };
}

async function openObject(
  from: string,
  source: ObjectStore,
  stores: Stores | undefined,
): Promise<OpenList> {
  const { store: url, key } = parseObjectLocation(from);
  const own = url === source.url || stores ? undefined : new StorePool();
  const store = url === source.url ? source : await (stores ?? own!).open(url);
  const info = await store.head(key);
  if (!info) {
    await own?.close();
    throw new StoreError('not-found', 'it does not exist');
  }
  return seekable(from, objectFile(store, info), async () => own?.close());
}

/** Somebody may have given a URL of the web, with a password in it, for a path. */
function shown(name: string): string {
  return /^https?:/i.test(name) ? redactUrl(name) : name;
}
