/**
 * Fetches one file into the cache, going on where an earlier try ended, and checks it: a blob is
 * there only with the bytes that were published.
 */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '@cutline/shared/errors';
import { quote } from '../files/quote.ts';
import { type BlobLock, tryLock } from './blob-lock.ts';
import { exchange, type Pieces } from './exchange.ts';
import type { Hub } from './hub.ts';
import type { HubCache } from './hub-cache.ts';
import { errorOfReply, MismatchError, PassingError } from './hub-errors.ts';
import { fileUrl, hasRightBytes, type PublishedFile } from './published-file.ts';
import { Tries } from './retry.ts';

/** What is fetched, and where to. */
export interface BlobFetch {
  hub: Hub;
  cache: HubCache;
  repo: string;
  commit: string;
  file: PublishedFile;
  /** How many bytes of it are there now; fewer than before when it has to start over. */
  onBytes(bytes: number): void;
}

const waitMs = 250;

/**
 * Waits where another process fetches the same.
 *
 * @throws UserError when it cannot be had, or is not what was published; the signal's reason.
 */
export async function fetchBlob(fetching: BlobFetch): Promise<void> {
  const { cache, file, hub } = fetching;
  let lock: BlobLock | undefined;
  try {
    while (!(await cache.hasBlob(file))) {
      lock = await tryLock(cache.lockPath(file.etag));
      if (lock) {
        if (!(await cache.hasBlob(file))) await fetchChecked(fetching);
        break;
      }
      fetching.onBytes(await sizeOf(cache.incompletePath(file.etag)));
      await sleep(waitMs, undefined, { signal: hub.signal });
    }
  } catch (error) {
    hub.signal.throwIfAborted();
    throw error;
  } finally {
    await lock?.release();
  }
  fetching.onBytes(file.bytes);
}

/** Twice, if the first one turns out to be something else. */
async function fetchChecked(fetching: BlobFetch): Promise<void> {
  const { cache, file, hub, repo } = fetching;
  const path = cache.incompletePath(file.etag);
  for (const isLast of [false, true]) {
    try {
      await fetchAll(fetching, path);
      if (!(await hasRightBytes(path, file, hub.signal)))
        throw new MismatchError('its hash differs');
      await rename(path, cache.blobPath(file.etag));
      return;
    } catch (error) {
      if (!(error instanceof MismatchError)) throw error;
      await rm(path, { force: true });
      if (isLast) {
        throw new UserError(
          `${quote(file.name)} of ${repo} arrives otherwise than it was published, twice ` +
            `(${error.message}): try again later, or check what lies between here and the hub ` +
            '(HF_ENDPOINT, a proxy).',
          { cause: error },
        );
      }
    }
  }
}

async function fetchAll(fetching: BlobFetch, path: string): Promise<void> {
  const { file, hub, onBytes } = fetching;
  const tries = new Tries(hub);
  for (;;) {
    const begin = await sizeOf(path);
    if (begin > file.bytes) throw new MismatchError(`${begin} bytes instead of ${file.bytes}`);
    onBytes(begin);
    if (begin === file.bytes && begin > 0) return;
    try {
      await fetchFrom(fetching, path, begin);
      return;
    } catch (error) {
      if ((await sizeOf(path)) > begin) tries.reset();
      await tries.next(error);
    }
  }
}

async function fetchFrom(fetching: BlobFetch, path: string, begin: number): Promise<void> {
  const { hub, repo, commit, file } = fetching;
  const url = fileUrl(hub, repo, commit, file.name);
  const headers = {
    // Otherwise ranges would be of compressed bytes.
    'accept-encoding': 'identity',
    ...(begin > 0 && { range: `bytes=${begin}-` }),
  };
  await exchange(hub, { method: 'GET', url, headers }, async (response, pieces) => {
    if (response.status === 416) {
      await rm(path, { force: true });
      throw new PassingError(`${new URL(response.url).host} answers 416`);
    }
    if (response.status !== 200 && response.status !== 206) {
      throw errorOfReply(hub, response, { repo, revision: commit, file: file.name });
    }
    checkRange(response, begin, file);
    // A server that does not know ranges sends everything. The old file is not written over:
    // another process might be at it.
    const isWhole = begin === 0 || response.status === 200;
    if (isWhole) await rm(path, { force: true });
    const handle = await open(path, isWhole ? 'w' : 'r+');
    try {
      await write(fetching, response, pieces, handle, isWhole ? 0 : begin);
    } finally {
      await handle.close();
    }
  });
}

/** Whether what is about to come is what was asked for. */
function checkRange({ status, headers }: Response, begin: number, file: PublishedFile): void {
  if (status === 200) {
    const bytes = headers.get('content-length');
    if (bytes !== null && !headers.has('content-encoding') && Number(bytes) !== file.bytes) {
      throw new MismatchError(`${bytes} bytes instead of ${file.bytes}`);
    }
    return;
  }
  const range = headers.get('content-range') ?? '';
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? [];
  const isRight = Number(first) === begin && (total === '*' || Number(total) === file.bytes);
  if (!isRight) throw new MismatchError(`${quote(range)} instead of ${begin} of ${file.bytes}`);
}

async function write(
  { file, onBytes }: BlobFetch,
  response: Response,
  pieces: Pieces,
  handle: FileHandle,
  begin: number,
): Promise<void> {
  let at = begin;
  for await (const piece of pieces) {
    if (at + piece.length > file.bytes) throw new MismatchError(`more than ${file.bytes} bytes`);
    for (let written = 0; written < piece.length; ) {
      const { bytesWritten } = await handle.write(piece, written, piece.length - written, at);
      written += bytesWritten;
      at += bytesWritten;
    }
    onBytes(at);
  }
  if (at < file.bytes) {
    throw new PassingError(
      `${new URL(response.url).host} ended after ${at} of ${file.bytes} bytes`,
    );
  }
  await handle.sync();
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}
