import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { describeError, UserError } from '../errors.ts';
import { redactUrl } from '../process/redact-url.ts';
import { parseObjectLocation } from '../stores/location.ts';
import { type ObjectInfo, type ObjectStore, StoreError } from '../stores/object-store.ts';
import { StorePool } from '../stores/store-pool.ts';

/** Opens stores with the settings of the program. */
export type Stores = Pick<StorePool, 'open'>;

/**
 * Opens a list of keys, to be read once from its beginning to its end, decompressed, and never held
 * as a whole.
 *
 * @param from a path, an s3:// URL, or `-` for stdin; `.gz` and `.zst` are compressed
 * @throws UserError where it cannot be read
 */
export async function openList(
  from: string,
  source: ObjectStore,
  stores: Stores | undefined,
): Promise<Readable> {
  if (from === '-') return process.stdin;
  const decompressor = decompressorOf(from);
  try {
    const bytes = isS3(from) ? await openObject(from, source, stores) : await openFile(from);
    if (!decompressor) return bytes;
    // An error of either is thrown to whoever reads.
    return pipeline(bytes, decompressor, () => {}) as unknown as Readable;
  } catch (error) {
    throw cannotRead(from, error);
  }
}

/**
 * Makes sure that a list can be read, before a run is begun with it; nothing of it is read.
 * @throws UserError
 */
export async function requireKeysList(
  from: string,
  source: ObjectStore,
  stores?: Stores,
): Promise<void> {
  if (from !== '-') (await openList(from, source, stores)).destroy();
}

/** The name of what is in it. */
export function withoutCompression(name: string): string {
  return name.replace(/\.(gz|zst)$/i, '');
}

/** @throws UserError where this Node.js cannot read it */
function decompressorOf(name: string): NodeJS.ReadWriteStream | undefined {
  if (/\.gz$/i.test(name)) return zlib.createGunzip();
  if (!/\.zst$/i.test(name)) return undefined;
  // Node.js 22.15 and 23.8 brought it, and the types are those of 20.
  const { createZstdDecompress } = zlib as { createZstdDecompress?: typeof zlib.createGunzip };
  if (createZstdDecompress) return createZstdDecompress();
  throw new UserError(
    `The list of keys ${shown(name)} is compressed with Zstandard, which Node.js ${process.versions.node} ` +
      'does not read: use 22.15 or newer, or pipe it: zstd -dc … | cutline … --keys-from -',
  );
}

function isS3(from: string): boolean {
  return /^s3:\/\//i.test(from);
}

async function openFile(path: string): Promise<Readable> {
  if ((await stat(path)).isDirectory()) throw new Error('it is a folder');
  const stream = createReadStream(path);
  await new Promise((resolve, reject) => stream.once('open', resolve).once('error', reject));
  return stream;
}

async function openObject(
  from: string,
  source: ObjectStore,
  stores: Stores | undefined,
): Promise<Readable> {
  const { store: url, key } = parseObjectLocation(from);
  const own = url === source.url || stores ? undefined : new StorePool();
  const store = url === source.url ? source : await (stores ?? own!).open(url);
  const info = await store.head(key);
  if (!info) {
    await own?.close();
    throw new StoreError('not-found', 'it does not exist');
  }
  return Readable.from(readPieces(store, info)).once('close', () => own?.close());
}

/** A range after the other, all of the same version: what breaks off is asked for again alone. */
async function* readPieces(
  store: ObjectStore,
  { key, etag, bytes: size }: ObjectInfo,
): AsyncGenerator<Buffer> {
  for (let start = 0; start < size; start += rangeBytes) {
    const range = { start, end: Math.min(start + rangeBytes, size) };
    const { bytes } = await store.get(key, { etag, range });
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      yield bytes.subarray(at, at + pieceBytes);
    }
  }
}

const rangeBytes = 8 * 1024 * 1024;
/** As a file would come. */
const pieceBytes = 64 * 1024;

export function cannotRead(name: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const reason = missing ? 'there is no such file' : describeError(error);
  return new UserError(`The list of keys ${shown(name)} cannot be read: ${reason}.`, {
    cause: error,
  });
}

/** Somebody may have given a URL of the web, with a password in it, for a path. */
function shown(name: string): string {
  return /^https?:/i.test(name) ? redactUrl(name) : name;
}
