import { createHash } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, UserError } from '../../errors.ts';
import type { ObjectInfo, ObjectStore } from '../../stores/object-store.ts';

/** Bytes that can be read in any order: of a file, of an object, of a copy that was made. */
export interface ListFile {
  readonly sizeBytes: number;
  /** From `start` up to, but not including, `end`; both within the file. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** A file of this machine. */
export async function openFile(path: string): Promise<ListFile> {
  const handle = await open(path, 'r');
  const { size: sizeBytes } = await handle.stat();
  return {
    sizeBytes,
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
        if (bytesRead === 0) throw new Error('it was cut off while it was read');
        at += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** An object; all that is read is of the same version. */
export function objectFile(store: ObjectStore, { key, etag, bytes }: ObjectInfo): ListFile {
  return {
    sizeBytes: bytes,
    async read(start, end) {
      if (start === end) return new Uint8Array();
      const found = await store.get(key, { etag, range: { start, end } });
      return new Uint8Array(found.bytes); // a buffer of its own, as numbers in it are read in place
    },
    close: async () => {},
  };
}

/** From its beginning to its end, in pieces as a file would come. */
export async function* piecesOf(file: ListFile): AsyncGenerator<Uint8Array> {
  let rangeBytes = firstRangeBytes;
  for (let start = 0; start < file.sizeBytes; ) {
    const end = Math.min(start + rangeBytes, file.sizeBytes);
    const bytes = await file.read(start, end);
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    start = end;
    rangeBytes = rangeBytesMax;
  }
}

/** Little, since who looks at the head of a list reads no more. */
const firstRangeBytes = 256 * 1024;
const rangeBytesMax = 8 * 1024 * 1024;
const pieceBytes = 64 * 1024;

/**
 * A copy on this machine's disk, in TMPDIR, that is gone when it is closed, or its process dies.
 * @returns it, and the MD5 of what was copied, in hexadecimal digits
 * @throws UserError where there is no room for it
 */
export async function copyToDisk(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ file: ListFile; md5: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-list-')).catch(noRoom);
  const path = join(folder, 'copy');
  const digest = createHash('md5');
  try {
    const copy = await open(path, 'wx', 0o600).catch(noRoom);
    try {
      for await (const piece of pieces) {
        digest.update(piece);
        await copy.writeFile(piece).catch(noRoom);
      }
    } finally {
      await copy.close();
    }
    return { file: await openFile(path), md5: digest.digest('hex') };
  } finally {
    // What is open can be read without its name.
    await rm(folder, { recursive: true, force: true });
  }
}

function noRoom(cause: unknown): never {
  throw new UserError(
    `Cannot keep a copy of the list in ${tmpdir()}: ${describeError(cause)}. Name a folder that has ` +
      'room with the variable TMPDIR.',
    { cause },
  );
}
